"""Radiomics: what people thought of measuring on an outlined lesion, with names and units.

Shape from the outline; grey values in it and in a rim around it; texture from co-occurring grey
values (GLCM), from local binary patterns (LBP) and from the Laplacian of Gaussians (LoG). Follows
the definitions of Zwanenburg et al. 2020, doi 10.1148/radiol.2020191145, where it has them.
"""

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from course_lib.errors import CourseError

LEVELS = 16  # grey levels of the co-occurrence matrix, evenly over the window
RIM_MM = 3.0
PATTERNS = 10  # uniform local binary patterns of eight neighbours

# Name → unit; "grey" is the image's own unit, HU in CT.
FEATURES: dict[str, str] = {
    "area": "mm²",
    "perimeter": "mm",
    "equivalent_diameter": "mm",
    "longest_diameter": "mm",
    "circularity": "",
    "eccentricity": "",
    "solidity": "",
    "mean": "grey",
    "spread": "grey",
    "percentile_10": "grey",
    "percentile_90": "grey",
    "skewness": "",
    "kurtosis": "",
    "entropy": "bit",
    "rim_contrast": "grey",
    "rim_spread": "grey",
    "edge_gradient": "grey/mm",
    "glcm_contrast": "levels²",
    "glcm_homogeneity": "",
    "glcm_energy": "",
    "glcm_correlation": "",
    "log_1mm": "grey/mm²",
    "log_2mm": "grey/mm²",
    "log_4mm": "grey/mm²",
    **{f"lbp_{k}": "" for k in range(PATTERNS)},
}


def radiomics(image: Tensor, mask: Tensor, window: tuple[float, float], pixel_mm: float) -> Tensor:
    """The features of FEATURES, (N, features).

    Arguments:
        image: (N, C, H, W) or (N, C, D, H, W), whose channels are averaged and of which a volume's
            slice with most mask is taken.
        mask: the same without channels but one, nonzero inside. Empty masks count as everything.
        window: the values that grey levels are counted between.
    """
    grey, inside = image.float().mean(1).cpu().numpy(), mask[:, 0].cpu().numpy()
    if grey.ndim == 4:
        best = inside.reshape(*inside.shape[:2], -1).sum(-1).argmax(1)
        grey, inside = (a[np.arange(len(a)), best] for a in (grey, inside))
    rows = [
        list(_measure(one, outline, *window, pixel_mm).values())
        for one, outline in zip(grey, inside > 0, strict=True)
    ]
    return torch.tensor(rows, dtype=torch.float32)


def _measure(
    image: np.ndarray, mask: np.ndarray, low: float, high: float, mm: float
) -> dict[str, float]:
    """All features of one image (H, W) and its mask."""
    mask = mask if mask.any() else np.ones_like(mask)
    inside = image[mask]
    distance = ndimage.distance_transform_edt(~mask) * mm
    rim = image[(distance > 0) & (distance <= RIM_MM)]
    rim = rim if rim.size else inside
    edge = mask & ~ndimage.binary_erosion(mask)
    slope = np.hypot(*np.gradient(image, mm))
    spread = inside.std()
    centred = (inside - inside.mean()) / max(spread, 1e-6)
    share = np.histogram(inside, np.linspace(low, high, 65))[0] / inside.size
    share = share[share > 0]
    found = _shape(mask, mm) | {
        "mean": inside.mean(),
        "spread": spread,
        "percentile_10": np.percentile(inside, 10),
        "percentile_90": np.percentile(inside, 90),
        "skewness": (centred**3).mean(),
        "kurtosis": (centred**4).mean(),
        "entropy": -(share * np.log2(share)).sum(),
        "rim_contrast": inside.mean() - rim.mean(),
        "rim_spread": rim.std(),
        "edge_gradient": slope[edge].mean(),
    }
    found |= _glcm(image, mask, low, high)
    for width in (1, 2, 4):
        response = ndimage.gaussian_laplace(image, width / mm) / mm**2
        found[f"log_{width}mm"] = response[mask].mean()
    return {name: float(value) for name, value in (found | _lbp(image, mask, low, high)).items()}


def _shape(mask: np.ndarray, mm: float) -> dict[str, float]:
    """Of the largest connected part."""
    from skimage.measure import label, regionprops

    region = max(regionprops(label(mask)), key=lambda part: part.area)
    perimeter = max(region.perimeter * mm, mm)
    area = region.area * mm**2
    return {
        "area": area,
        "perimeter": perimeter,
        "equivalent_diameter": region.equivalent_diameter_area * mm,
        "longest_diameter": _longest(region.coords) * mm,
        "circularity": 4 * np.pi * area / perimeter**2,
        "eccentricity": region.eccentricity,
        "solidity": region.area / _hull(region.coords),
    }


def _longest(points: np.ndarray) -> float:
    """Largest distance of two pixels, from edge to edge; their projections on 36 directions."""
    angle = np.arange(36) * np.pi / 36
    along = points @ np.stack([np.sin(angle), np.cos(angle)])
    return float(np.ptp(along, axis=0).max() + 1)


def _hull(points: np.ndarray) -> float:
    """Area of the convex hull of pixels (k, 2), from corner to corner, in pixels."""
    from scipy.spatial import ConvexHull

    half = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]])
    corners = (points[:, None] + half).reshape(-1, 2)
    return float(ConvexHull(corners).volume)  # what qhull calls volume is the area in 2D


def _glcm(image: np.ndarray, mask: np.ndarray, low: float, high: float) -> dict[str, float]:
    """How often grey levels are neighbours, both inside the mask."""
    from skimage.feature import graycomatrix, graycoprops

    level = 1 + np.clip((image - low) / (high - low) * LEVELS, 0, LEVELS - 1).astype(np.uint8)
    rows, columns = np.nonzero(mask)
    box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    level = np.where(mask, level, 0)[box]
    angles = (0, np.pi / 4, np.pi / 2, 3 * np.pi / 4)
    pairs = graycomatrix(level, [1], angles, LEVELS + 1, symmetric=True)[1:, 1:].astype(float)
    total = pairs.sum((0, 1), keepdims=True)
    pairs /= np.maximum(total, 1)
    names = ("contrast", "homogeneity", "energy", "correlation")
    return {f"glcm_{name}": graycoprops(pairs, name).mean() for name in names}


def _lbp(image: np.ndarray, mask: np.ndarray, low: float, high: float) -> dict[str, float]:
    from skimage.feature import local_binary_pattern

    whole = np.clip((image - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    pattern = local_binary_pattern(whole, 8, 1, "uniform")[mask].astype(int)
    share = np.bincount(pattern, minlength=PATTERNS)[:PATTERNS] / pattern.size
    return {f"lbp_{k}": value for k, value in enumerate(share)}


def threshold_outline(image: Tensor, window: tuple[float, float], share: float = 0.4) -> Tensor:
    """Outlines (N, 1, H, W) that nobody drew: of what is brighter than `share` of the window, the
    connected region nearest to the middle, without its thin arms (opened by 3x3).

    0.4 is -440 HU in CT. Where nothing is that bright, the brightest pixel. Raises CourseError for
    volumes.
    """
    if image.ndim != 4:
        raise CourseError("Outlines by threshold need images; for volumes use outline='readers'.")
    found, (low, high) = [], window
    for one in image.float().mean(1).cpu().numpy():
        bright = one > low + share * (high - low)
        opened = ndimage.binary_opening(bright, np.ones((3, 3)))
        region, count = ndimage.label(opened if opened.any() else bright)
        if count == 0:
            region = (one == one.max()).astype(int)
        places = np.argwhere(region > 0)
        nearest = places[np.square(places - (np.array(one.shape) - 1) / 2).sum(1).argmin()]
        found.append(region == region[tuple(nearest)])
    return torch.from_numpy(np.stack(found)[:, None]).to(torch.uint8)


def another_outline(mask: Tensor, generator: torch.Generator, pixels: float = 1.0) -> Tensor:
    """The masks (N, 1, *size) as a second reader might have drawn them.

    The outline moves in and out by `pixels` (a standard deviation), smoothly along the way; a mask
    that would vanish stays as it is.
    """
    noise = torch.randn(mask.shape, generator=generator).numpy()
    moved = []
    for one, wobble in zip(mask[:, 0].cpu().numpy() > 0, noise[:, 0], strict=True):
        smooth = ndimage.gaussian_filter(wobble, 3.0)
        smooth *= pixels / max(smooth.std(), 1e-6)
        edge = ndimage.distance_transform_edt(one) - ndimage.distance_transform_edt(~one)
        other = edge - np.sign(edge) * 0.5 + smooth > 0
        moved.append(other if other.any() else one)
    return torch.from_numpy(np.stack(moved)[:, None]).to(mask.dtype)


def agreement(first: Tensor, second: Tensor) -> Tensor:
    """Intraclass correlation ICC(2,1) of each feature between two outlines, (features,).

    (MS_case − MS_rest) / (MS_case + MS_rest + 2 (MS_outline − MS_rest) / N)

    1: the outline does not matter; nan where a feature is constant. Arguments: (N, features) each.
    Source: Shrout & Fleiss 1979, doi 10.1037/0033-2909.86.2.420.
    """
    both = torch.stack([first, second], 1).double()
    cases = len(both)
    centre = both.mean((0, 1), keepdim=True)
    by_case, by_outline = both.mean(1, keepdim=True), both.mean(0, keepdim=True)
    of_case = 2 * (by_case - centre).square().sum((0, 1)) / (cases - 1)
    of_outline = cases * (by_outline - centre).square().sum((0, 1))
    rest = (both - by_case - by_outline + centre).square().sum((0, 1)) / (cases - 1)
    return ((of_case - rest) / (of_case + rest + 2 * (of_outline - rest) / cases)).float()
