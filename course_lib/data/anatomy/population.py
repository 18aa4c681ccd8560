"""A population: many people drawn from a few real ones, with the truth kept.

Every case is a template deformed by a random diffeomorphism, an affine map after the flow of a
stationary velocity, φ = A ∘ exp(v). Both φ and its inverse are kept, so registration has an exact
answer: `case(x) = template(x + displacement(x))`.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from course_lib.cases import Cases
from course_lib.data.anatomy import scanner as scanners
from course_lib.data.anatomy import template as templates
from course_lib.data.anatomy import tissues
from course_lib.data.anatomy.render import Specimen, render
from course_lib.data.anatomy.template import Template
from course_lib.errors import CourseError
from course_lib.physics import fields

LANDMARKS = 16
ELASTIC_MM = ((34.0, 4.0), (10.0, 1.0))
"""Smoothness and strength of the random velocities, both as standard deviations in mm."""
_FINE_MM = 0.9  # the fine grid for partial volume is about this fine
_CHUNK = 2**22  # fine voxels that are worked on together: bounds the memory


def population(
    n: int,
    dims: int = 2,
    size: int = 128,
    contrasts: Sequence[str] = ("t1", "t2"),
    seed: int = 0,
    region: str = "brain",
    site: str = "mixed",
    subjects: Sequence[str] | None = None,
    repeats: int = 1,
    deformation: float = 1.0,
    phase: bool = False,
    spacing_mm: float | None = None,
) -> Cases:
    """Draws cases: deformed real anatomy, rendered in several contrasts by several scanners.

    Arguments:
        n: how many cases. dims: 2 (axial slices) or 3. size: pixels along every axis.
        contrasts: any of `t1`, `t2`, `pd` (a.u.), `ct` (HU), `pet` (SUV).
        seed: the same seed gives the same cases, and the first ones do not depend on `n`.
        region: `brain` or `chest`.
        site: a name in `scanner.SITES`, or `mixed`: one of them at random for each case.
        subjects: whose anatomy, from `template.subjects(region)`; all by default.
        repeats: so many consecutive cases share a template, for pairs (`pair_field`).
        deformation: strength of the deformations; 1 is how people differ, 0 is none.
        phase: adds `NAME_complex` (complex64) for every MR contrast.
        spacing_mm: pixel size; by default the whole head (224 mm) or chest (360 mm) fits.
    Returns Cases with (d axes in the order y, x or z, y, x; fields and points in voxels)
        each contrast   (n, 1, *spatial) float32
        label           (n, 1, *spatial) uint8, see `tissues.labels(region)`
        displacement    (n, d, *spatial), case(x) = template(x + u(x)); inverse: the way back
        landmarks       (n, 16, d) in the case; template_landmarks: the same points before
    `subject` is the donor (what a split must keep apart), `group` the site.
    Raises CourseError for unknown names and impossible sizes.
    """
    _check(n, dims, size, contrasts, region, site, subjects)
    chosen = list(subjects or templates.subjects(region, dims))
    pixel = spacing_mm or templates.FIELD_OF_VIEW_MM[region] / size
    factor = min(4, max(2, math.ceil(pixel / _FINE_MM)))
    per_chunk = max(1, _CHUNK // (factor * size) ** dims)
    plan = [_plan(index, seed, repeats, chosen, region, dims, site) for index in range(n)]
    parts: dict[str, list[Tensor]] = {}
    for start in range(0, n, per_chunk):
        chunk = plan[start : start + per_chunk]
        made = _draw(chunk, (size,) * dims, pixel, factor, region, contrasts, deformation, phase)
        for name, value in made.items():
            parts.setdefault(name, []).append(value)
    return Cases(
        tensors={name: torch.cat(values) for name, values in parts.items()},
        case=[f"{one.subject}/{one.name}/draw-{k:05d}" for k, (one, _, _) in enumerate(plan)],
        subject=[one.subject for one, _, _ in plan],
        group=[f"site {scanner.name}" for _, scanner, _ in plan],
        spacing_mm=torch.full((n, dims), pixel),
        provenance=_provenance(region, contrasts),
    )


def pair_field(cases: Cases, fixed: Sequence[int], moving: Sequence[int]) -> Tensor:
    """The true displacement between cases of one template: moving(x + u(x)) = fixed(x).

    Arguments: numbers of cases drawn with `repeats` > 1, pairwise of the same template.
    Returns (pairs, d, *spatial) in voxels. Raises CourseError if a pair does not share one.
    """
    for one, other in zip(fixed, moving, strict=True):
        first, second = (cases.case[k].rsplit("/", 1)[0] for k in (one, other))
        if first != second:
            raise CourseError(
                f"{cases.case[one]} and {cases.case[other]} are of different templates, so there "
                "is no true field between them. Draw the population with repeats=2 and pair "
                "neighbours: fixed = 0, 2, …, moving = 1, 3, …"
            )
    return fields.compose(cases["inverse"][list(moving)], cases["displacement"][list(fixed)])


def _check(n, dims, size, contrasts, region, site, subjects) -> None:
    known = templates.subjects(region, dims if dims in (2, 3) else 2)
    wrong = [name for name in contrasts if name not in scanners.CONTRASTS]
    if wrong:
        raise CourseError(f"Unknown contrast {wrong[0]!r}: choose from {scanners.CONTRASTS}.")
    strangers = [name for name in subjects or () if name not in known]
    if strangers:
        raise CourseError(f"Unknown subject {strangers[0]!r}: choose from {', '.join(known)}.")
    if site != "mixed":
        scanners.site(site)
    if dims not in (2, 3) or n < 1 or size < 16 or size % 4:
        raise CourseError(
            f"Got n={n}, dims={dims}, size={size}: expected n ≥ 1, dims 2 or 3, and a size of at "
            "least 16 that is a multiple of 4."
        )


def _provenance(region: str, contrasts: Sequence[str]) -> dict[str, str]:
    label = {
        "brain": "measured cortex and nuclei; other tissues modelled; deformed at random",
        "chest": "measured (organs probably labelled by a model); deformed at random",
    }[region]
    result = {name: "simulated from measured label maps" for name in contrasts}
    if region == "chest" and "ct" in contrasts:
        result["ct"] = "measured pixels, deformed, with simulated noise"
    return result | {"label": label, "displacement": "simulated", "inverse": "simulated"}


def _plan(
    index: int, seed: int, repeats: int, chosen: list[str], region: str, dims: int, site: str
) -> tuple[Template, scanners.Scanner, torch.Generator]:
    """Template, scanner and generator of one case."""
    group = index // repeats
    shared = torch.Generator().manual_seed(seed * 1_000_003 + 2 * group + 1)
    own = torch.Generator().manual_seed(seed * 1_000_003 + 2 * index)
    subject = chosen[group % len(chosen)]
    if dims == 3:
        piece = templates.volume_template(region, subject)
    else:
        heights = templates.levels(region, subject)
        pick = int(torch.randint(len(heights), (1,), generator=shared))
        piece = templates.slice_template(region, subject, float(heights[pick]))
    names = list(scanners.SITES)
    drawn = names[int(torch.randint(len(names), (1,), generator=own))]
    return piece, scanners.site(drawn if site == "mixed" else site), own


def _draw(
    chunk: list[tuple[Template, scanners.Scanner, torch.Generator]],
    shape: tuple[int, ...],
    pixel: float,
    factor: int,
    region: str,
    contrasts: Sequence[str],
    deformation: float,
    phase: bool,
) -> dict[str, Tensor]:
    """The tensors of some cases."""
    pieces, machines, generators = zip(*chunk, strict=True)
    displacement, inverse = _deform(shape, pixel, deformation, generators)
    sampler = _Sampler(pieces, shape, pixel, region)
    fine = sampler.positions(displacement, factor)
    measured = {
        name: sampler.take([piece.measured[name] for piece in pieces], fine, outside=-1000.0)
        for name in pieces[0].measured
        if name in contrasts
    }
    specimen = Specimen(
        labels=sampler.tissue(fine).long(),
        detail=sampler.take([piece.detail for piece in pieces], fine) / templates.DETAIL_UNITS,
        measured=measured,
        region=region,
        factor=factor,
        pixel_mm=pixel,
        generators=generators,
    )
    before = torch.stack([_landmarks(piece, shape, pixel, region) for piece in pieces])
    return render(specimen, machines, contrasts, phase) | {
        "label": sampler.tissue(sampler.positions(displacement, 1)).to(torch.uint8)[:, None],
        "displacement": displacement,
        "inverse": inverse,
        "landmarks": _carry(before, displacement, inverse),
        "template_landmarks": before,
    }


class _Sampler:
    """Looks templates up at positions given in pixels of the image."""

    def __init__(self, pieces: Sequence[Template], shape: Sequence[int], pixel: float, region: str):
        self.pieces, self.shape = pieces, shape
        first = np.array([piece.first_mm for piece in pieces])
        spacing = np.array([piece.spacing_mm for piece in pieces])
        centre = np.array(templates.CENTRE_MM[region][-len(shape) :])
        corner = centre - (np.array(shape) - 1) / 2 * pixel
        self.scale = torch.tensor(pixel / spacing, dtype=torch.float32)
        self.offset = torch.tensor((corner - first) / spacing, dtype=torch.float32)

    def positions(self, displacement: Tensor, factor: int) -> Tensor:
        """Where the centres of a `factor` times finer grid look, (B, d, *fine)."""
        fine = [factor * size for size in self.shape]
        grid = (fields.voxel_grid(fine) + 0.5) / factor - 0.5
        if factor == 1:
            return grid + displacement
        mode = "bilinear" if len(fine) == 2 else "trilinear"
        return grid + F.interpolate(displacement, fine, mode=mode, align_corners=False)

    def take(self, images: Sequence[np.ndarray], positions: Tensor, outside: float = 0.0) -> Tensor:
        """Linear values of one image per template, (B, *spatial), `outside` beyond its edge."""
        stack = torch.from_numpy(np.stack(images)).float()[:, None] - outside
        ratio = torch.tensor(stack.shape[2:]) / torch.tensor(self.pieces[0].tissue.shape)
        found = fields.look_up(stack, self._index(positions, ratio), padding="zeros")
        return found[:, 0] + outside

    def tissue(self, positions: Tensor) -> Tensor:
        """Tissue numbers (B, *spatial) as float32."""
        stack = torch.from_numpy(np.stack([piece.tissue for piece in self.pieces])).float()
        index = self._index(positions, torch.ones(len(self.shape)))
        return fields.look_up(stack[:, None], index, mode="nearest", padding="zeros")[:, 0]

    def _index(self, positions: Tensor, ratio: Tensor) -> Tensor:
        trailing = (...,) + (None,) * len(self.shape)
        scale = (self.scale * ratio)[trailing]
        offset = ((self.offset + 0.5) * ratio - 0.5)[trailing]
        return positions * scale + offset


def _deform(
    shape: tuple[int, ...], pixel: float, strength: float, generators: Sequence[torch.Generator]
) -> tuple[Tensor, Tensor]:
    """Random displacement and its inverse, (B, d, *shape) in voxels.

    The velocity lives on a grid of half the resolution, which it does not need.
    """
    dims = len(shape)
    half = [size // 2 for size in shape]
    velocity = torch.cat(
        [
            sum(
                fields.random_velocity(
                    half, 1, smoothness / (2 * pixel), strength * size / (2 * pixel), generator
                )
                for smoothness, size in ELASTIC_MM
            )
            for generator in generators
        ]
    )
    mode = "bilinear" if dims == 2 else "trilinear"
    elastic, back = (
        2 * F.interpolate(fields.exponential(v, 5), shape, mode=mode, align_corners=False)
        for v in (velocity, -velocity)
    )
    matrix, shift = _affine(dims, pixel, strength, generators)
    grid = fields.voxel_grid(shape)
    column = (slice(None), slice(None)) + (None,) * dims
    centre = torch.tensor([(size - 1) / 2 for size in shape])[(None, slice(None), *column[2:])]
    moved = grid + elastic - centre
    displacement = torch.einsum("nij,nj...->ni...", matrix, moved) + shift[column] + centre - grid
    undone = torch.einsum(
        "nij,nj...->ni...", torch.linalg.inv(matrix), (grid - centre - shift[column])
    )
    positions = undone + centre
    inverse = positions + fields.look_up(back, positions) - grid
    return displacement, inverse


def _affine(
    dims: int, pixel: float, strength: float, generators: Sequence[torch.Generator]
) -> tuple[Tensor, Tensor]:
    """Random matrices (B, d, d), the exponential of a small one, and shifts (B, d) in voxels."""
    count = dims * dims + dims
    drawn = strength * torch.stack([torch.randn(count, generator=g) for g in generators])
    free = drawn[:, : dims * dims].view(-1, dims, dims)
    turn, stretch = (free - free.mT) / 2, (free + free.mT) / 2
    return torch.matrix_exp(0.06 * turn + 0.035 * stretch), 2.0 / pixel * drawn[:, dims * dims :]


@lru_cache(maxsize=1024)
def _landmarks(piece: Template, shape: tuple[int, ...], pixel: float, region: str) -> Tensor:
    """Points on borders between tissues, far from one another, (16, d) in pixels of the template.

    Background, skin and fat have none: their borders are told apart too easily.
    """
    soft = piece.tissue > tissues.labels(region)["fat"]
    border = np.zeros_like(soft)
    for axis in range(soft.ndim):
        change = np.diff(piece.tissue.astype(np.int16), axis=axis) != 0
        inside = [slice(None)] * soft.ndim
        inside[axis] = slice(1, None)
        border[tuple(inside)] |= change & soft[tuple(inside)]
    found = np.argwhere(border)
    found = found[:: max(1, len(found) // 4000)]
    mm = found * np.array(piece.spacing_mm) + np.array(piece.first_mm)
    centre = np.array(templates.CENTRE_MM[region][-len(shape) :])
    middle = (np.array(shape) - 1) / 2
    points = (mm - centre) / pixel + middle
    points = points[(np.abs(points - middle) < 0.42 * np.array(shape)).all(1)]
    chosen = [int(np.argmin(((points - middle) ** 2).sum(1)))]
    distance = np.full(len(points), np.inf)
    for _ in range(LANDMARKS - 1):
        distance = np.minimum(distance, ((points - points[chosen[-1]]) ** 2).sum(1))
        chosen.append(int(distance.argmax()))
    return torch.tensor(points[chosen], dtype=torch.float32)


def _carry(points: Tensor, displacement: Tensor, inverse: Tensor) -> Tensor:
    """Template points into the case: the q with q + u(q) = p, exact for the sampled field.

    The inverse field gives a first guess and, as an approximate solution operator, every
    correction.
    """
    found = fields.move_points(points, inverse)
    for _ in range(5):
        reached = fields.move_points(found, displacement)
        found = found + fields.move_points(points, inverse) - fields.move_points(reached, inverse)
    return found
