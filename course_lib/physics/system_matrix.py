"""The sparse matrices behind `ct.ParallelBeam`: how a pixel and a ray see each other.

Two of them, with rays in the order (view, detector) and pixels row by row:

- "joseph", for projection: what each ray collects, in pixels of 1 mm;
- "interpolation", for FBP: where in each view a pixel reads its two nearest rays.

Why not one for both? The transpose of Joseph's matrix is the exact adjoint that gradients need, but
as a back-projector it hits some pixels more often than others: 5 HU of ripple, and up to 120 HU at
the axis of rotation, in a disc of water that interpolation gives back to 0.3 HU (255 x 255 pixels,
180 views, exact line integrals).

Symmetry makes both small. Every angle is a whole number of quarter turns plus or minus at most 45
degrees; turning and mirroring the image instead of the scanner leaves only angles of 0 to 45
degrees. There a ray crosses every row, and 180 views need the weights of 46.
"""

import math
import warnings
from functools import lru_cache

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from course_lib.errors import CourseError

Turn = tuple[int, bool]
"""Quarter turns of the scanner, and whether it is mirrored after them."""
View = tuple[Turn, float]
"""A turn, and the angle of 0 to 45 degrees that is added (mirrored: subtracted)."""

COLUMNS = 16
"""Images in one product: so many stay in a CPU's cache, and more take longer per image."""


class SystemMatrix:
    """A matrix from images `(N, 1, size, size)` to sinograms `(N, 1, views, detectors)`.

    `matrix` holds the weights and `transpose` holds them again the other way round, both CSR,
    because a product along stored rows is several times faster. Made by `system_matrix`.
    """

    def __init__(self, weights: csr_matrix, turns: list[Turn], picked: list[int], shape, device):
        self.turns, self.shape = turns, shape
        self.picked = torch.tensor(picked, device=device)
        self.matrix, self.transpose = _to_torch(weights, device), _to_torch(weights.T, device)

    def to_rays(self, image: Tensor) -> Tensor:
        """The product with the matrix, in float32 on its device, returned to the image's."""
        views, detectors, _ = self.shape
        turned = image[:, 0].to(self.picked.device)
        turned = torch.stack([turn_image(turned, turn) for turn in self.turns])
        rays = _multiply(self.matrix, turned.flatten(0, 1).flatten(1))
        rays = rays.reshape(len(self.turns), len(image), -1, detectors).transpose(1, 2)
        rays = rays.flatten(0, 1)[self.picked].transpose(0, 1)
        return rays.reshape(len(image), 1, views, detectors).to(image.device)

    def to_image(self, sinogram: Tensor) -> Tensor:
        """The product with the transpose."""
        _, detectors, size = self.shape
        views = sinogram[:, 0].transpose(0, 1).to(self.picked.device)
        stored = len(self.turns) * self.matrix.shape[0] // detectors
        rows = views.new_zeros(stored, *views.shape[1:]).index_add_(0, self.picked, views)
        rows = rows.unflatten(0, (len(self.turns), -1)).transpose(1, 2)
        turned = _multiply(self.transpose, rows.flatten(0, 1).flatten(1))
        turned = turned.reshape(len(self.turns), len(sinogram), size, size)
        image = sum(turn_back(t, turn) for t, turn in zip(turned, self.turns, strict=True))
        return image[:, None].to(sinogram.device)


@lru_cache(maxsize=4)
def system_matrix(
    kind: str, size: int, detectors: int, degrees: tuple[float, ...], device: torch.device
) -> SystemMatrix:
    """The matrix of a geometry, built once (0.3 s for 180 views at 256 x 256); four are kept.

    Arguments:
        kind: "joseph" or "interpolation".
        size, detectors: pixels along a side of the image, and of the detector of equal pitch.
        degrees: the angles of the views.
        device: where the products run.
    """
    turns, stored, picked = share_views(degrees)
    if 2 * size**2 * len(stored) >= 2**31:
        raise CourseError("This scanner needs over 32 GB of memory: use fewer views or pixels.")
    weights = {"joseph": _joseph, "interpolation": _interpolation}[kind](size, detectors, stored)
    return SystemMatrix(weights, turns, picked, (len(degrees), detectors, size), device)


def turn_image(image: Tensor, turn: Turn) -> Tensor:
    """What the unturned scanner must see to measure what the turned one does; `(..., H, W)`."""
    quarters, mirrored = turn
    image = torch.rot90(image, -quarters, dims=(-2, -1))
    return image.flip(-2) if mirrored else image


def turn_back(image: Tensor, turn: Turn) -> Tensor:
    """`turn_image` undone."""
    quarters, mirrored = turn
    return torch.rot90(image.flip(-2) if mirrored else image, quarters, dims=(-2, -1))


def share_views(degrees: tuple[float, ...]) -> tuple[list[Turn], list[View], list[int]]:
    """Which turns of the image to take, which views to store, and which of the pairs to keep.

    >>> share_views((0.0, 45.0, 90.0, 135.0))
    ([(0, False), (1, False)], [((0, False), 0.0), ((0, False), 45.0)], [0, 1, 2, 3])
    """
    quarters = [math.ceil(d / 90 - 0.5) for d in degrees]
    rest = [round(d - 90 * q, 9) for d, q in zip(degrees, quarters, strict=True)]
    views = [((q % 4, r < 0), abs(r)) for q, r in zip(quarters, rest, strict=True)]
    turns, kept = sorted({turn for turn, _ in views}), sorted({angle for _, angle in views})
    if len(turns) * len(kept) > 1.2 * len(views):  # Little to share, so store each view.
        return [(0, False)], views, list(range(len(views)))
    picked = [turns.index(turn) * len(kept) + kept.index(angle) for turn, angle in views]
    return turns, [((0, False), angle) for angle in kept], picked


def _joseph(size: int, detectors: int, views: list[View]) -> csr_matrix:
    """A ray meets row y at x = (s - y sin θ) / cos θ, and spends 1 / cos θ mm in it."""
    pixels = torch.arange(size * size, dtype=torch.int32).reshape(size, size)
    row_start = size * np.arange(size, dtype=np.int32)[:, None]
    s = _centred(detectors)[:, None]
    weights, columns, lengths = [], [], []
    for turn, degrees in views:
        cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        x = (s + _centred(size) * sine) / cosine + (size - 1) / 2  # y = -_centred(size)
        left, share = _split(x)
        column = np.stack([left, left + 1], axis=-1)
        weight = np.stack([1 - share, share], axis=-1) / np.float32(cosine)
        inside = (column >= 0) & (column < size) & (weight > 0)
        weights.append(weight[inside])
        columns.append(turn_image(pixels, turn).flatten().numpy()[(column + row_start)[inside]])
        lengths.append(inside.sum(axis=(1, 2)))
    starts = np.cumsum(np.concatenate([[0], *lengths])).astype(np.int32)
    parts = np.concatenate(weights), np.concatenate(columns), starts
    return csr_matrix(parts, shape=(len(views) * detectors, size * size))


def _interpolation(size: int, detectors: int, views: list[View]) -> csr_matrix:
    """A pixel at (x, y) reads each view at s = x cos θ + y sin θ."""
    x = _centred(size)
    y = -x[:, None]
    ray = np.empty((size * size, len(views), 2), dtype=np.int32)
    weight = np.empty(ray.shape, dtype=np.float32)
    for view, ((quarters, mirrored), degrees) in enumerate(views):
        theta = math.radians(90 * quarters + (-degrees if mirrored else degrees))
        s = (x * math.cos(theta) + y * math.sin(theta)).ravel() + (detectors - 1) / 2
        left, share = _split(s)
        for side, (index, part) in enumerate([(left, 1 - share), (left + 1, share)]):
            seen = (index >= 0) & (index < detectors)
            ray[:, view, side] = np.where(seen, index, 0) + view * detectors
            weight[:, view, side] = np.where(seen, part, 0)
    starts = np.arange(size * size + 1, dtype=np.int32) * (2 * len(views))
    shape = size * size, len(views) * detectors
    return csr_matrix((weight.ravel(), ray.ravel(), starts), shape=shape).T.tocsr()


def _centred(count: int) -> np.ndarray:
    return np.arange(count) - (count - 1) / 2


def _split(position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sample to the left of a position, and the share of the sample to the right of it."""
    left = np.floor(position)
    return left.astype(np.int32), (position - left).astype(np.float32)


def _to_torch(matrix, device: torch.device) -> Tensor:
    # 32-bit indices: a third less memory, and what MKL takes without converting at each product.
    matrix = matrix.tocsr()
    parts = map(torch.from_numpy, (matrix.indptr, matrix.indices, matrix.data))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Ss]parse")  # "beta", "unchecked"
        return torch.sparse_csr_tensor(*parts, size=matrix.shape, check_invariants=False).to(device)


def _multiply(matrix: Tensor, rows: Tensor) -> Tensor:
    """matrix @ row for each of `rows (B, n)` → `(B, m)`; float32 also under autocast."""
    with torch.autocast(matrix.device.type, enabled=False):
        return torch.cat([(matrix @ part.T.contiguous()).T for part in rows.split(COLUMNS)])
