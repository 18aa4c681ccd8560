"""Whole heads from the donors' label maps: real folds and nuclei, completed to every tissue.

The six donors' maps hold the cortical ribbon and the deep grey nuclei, measured, and nothing else.
What lies between and around them is filled in:

1. The centroids of 82 regions, known in MNI space and found in the donor, give an affine map and,
   for what it leaves, a thin-plate spline. Both bring the MNI average (T1, grey, white) along.
2. Every unlabelled voxel joins the tissue whose certain core it reaches first *without crossing
   the ribbon*: white matter grows from inside, cerebrospinal fluid from outside into the sulci.
3. Ventricles, brainstem and cerebellum come from the MNI maps; skull and scalp are shells of
   varying thickness around the brain, which is a model, not a measurement.
"""

import numpy as np
import torch
from scipy import ndimage
from scipy.interpolate import RBFInterpolator
from skimage.segmentation import watershed
from torch.nn import functional as F

from course_lib.data.anatomy.tissues import labels
from course_lib.data.volume import Volume
from course_lib.physics.fields import random_velocity, voxel_grid

SHAPE = (184, 224, 192)
"""Grid of a head (z, y, x) at 1 mm, in MNI orientation."""
ORIGIN_MM = np.array([-80.0, -96.0, -96.0])
"""Position of its first voxel (z, y, x), LPS mm."""

# Centroids of the left hemisphere's Desikan-Killiany regions 1 … 41 in MNI space, (z, y, x) LPS mm,
# averaged with the mirrored right hemisphere; the order is that of the donors' label numbers.
_CENTROIDS = np.fromstring(
    """8 43 54  27 -20 5  47 -12 37  19 80 7  -34 5 24  -24 42 35  31 69 44  -25 33 52  19 45 7
    0 88 32  -19 -31 24  -5 69 14  -18 -38 6  -15 24 58  -19 30 24  59 28 7  13 -16 48  -14 -41 43
    1 -32 48  6 81 12  43 22 46  38 18 6  43 8 41  37 59 10  3 -37 6  16 -47 33  43 -29 12
    50 65 23  -7 8 54  33 37 55  -12 -66 7  -38 -13 29  7 20 46  -1 -1 37  6 19 12  9 -8 14
    -2 -1 25  -2 4 20  -10 -10 8  -15 23 26  -21 3 24""",
    sep=" ",
).reshape(41, 3)
_NUMBER = labels("brain")
CSF, GREY, WHITE, VENTRICLE = (
    _NUMBER[k] for k in ("csf", "grey_matter", "white_matter", "ventricle")
)
CEREBELLUM, CEREBELLUM_WHITE = _NUMBER["cerebellar_grey"], _NUMBER["cerebellar_white"]
BRAINSTEM = _NUMBER["brainstem"]
_NUCLEI = (
    "thalamus",
    "caudate",
    "putamen",
    "pallidum",
    "accumbens",
    "hippocampus",
    "amygdala",
)
"""Tissues of the label numbers 35 … 41 (left) and 76 … 82 (right)."""
_MYELINATED = (16, 20, 21, 23, 33)
"""Paracentral, pericalcarine, postcentral, precentral and transverse temporal cortex."""


def head(donor: Volume, mni: Volume, hind: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Tissue map of a donor's head and its fine detail.

    Arguments:
        donor: one of `brain_donors()`; mni: `brain_mni()`; hind: `hindbrain(mni)`.
        seed: of the skull's and scalp's thickness.
    Returns `tissue` uint8 `SHAPE` (numbers of `tissues.BRAIN`) and `detail` float32 `SHAPE`, the
    relative deviation of myelin from the tissue's mean, about −0.2 … 0.2.
    """
    regions = donor.labels["desikan_killiany"]
    to_donor, to_mni = _alignment(regions, np.array(donor.origin_mm))
    side = np.where(regions > 41, regions - 41, regions)
    masks = {GREY: (side > 0) & (side < 35)}
    masks |= {_NUMBER[name]: side == 35 + k for k, name in enumerate(_NUCLEI)}
    *shares, heavy = _resample([*masks.values(), np.isin(side, _MYELINATED)], to_donor, donor)
    tissue, best = np.zeros(SHAPE, np.uint8), np.full(SHAPE, 0.5, np.float32)
    for number, share in zip(masks, shares, strict=True):
        tissue[share > best] = number
        np.maximum(best, share, out=best)

    t1, grey, white, cerebellum, brainstem = _resample(
        [mni.image, mni.labels["gm"], mni.labels["wm"], hind == CEREBELLUM, hind == BRAINSTEM],
        to_mni,
        mni,
    )
    tissue[(tissue == 0) & (cerebellum > 0.5)] = CEREBELLUM
    tissue[(tissue == 0) & (brainstem > 0.5)] = BRAINSTEM
    distance = _skull_distance(tissue > 0)
    _fill(tissue, distance, grey, white)
    _shells(tissue, distance, torch.Generator().manual_seed(seed))
    return tissue, _detail(tissue, t1, heavy)


def _resample(images: list[np.ndarray], position: np.ndarray, source: Volume) -> list[np.ndarray]:
    """Values of a volume's images at positions (3, *SHAPE) in mm, linear, float32."""
    grid = np.empty((1, *SHAPE, 3), np.float32)  # x first, −1 … 1 between voxel centres
    for axis, size in enumerate(source.image.shape):
        scale = 2 / (source.spacing_mm[axis] * (size - 1))
        grid[0, ..., 2 - axis] = (position[axis] - source.origin_mm[axis]) * scale - 1
    return [
        F.grid_sample(
            torch.from_numpy(image.astype(np.float32))[None, None],
            torch.from_numpy(grid),
            align_corners=True,
        )[0, 0].numpy()
        for image in images
    ]


def _column(vector: tuple[float, float, float] | np.ndarray) -> np.ndarray:
    return np.reshape(vector, (3, 1, 1, 1))


def _alignment(regions: np.ndarray, origin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each voxel of the head's grid lies in the donor and in MNI, (3, *SHAPE) in mm each.

    The affine map from MNI is split by its polar decomposition: the head's grid keeps the donor's
    true size and takes only the rotation away, the stretch goes into the way to MNI.
    """
    known = np.concatenate([_CENTROIDS, _CENTROIDS * [1, 1, -1]])
    ones = np.ones_like(regions, dtype=np.uint8)
    found = np.array(ndimage.center_of_mass(ones, regions, np.arange(1, 83))) + origin
    solution, *_ = np.linalg.lstsq(np.c_[known, np.ones(82)], found, rcond=None)
    u, stretch, v = np.linalg.svd(solution[:3].T)
    rotation, shift = u @ v, solution[3]
    unstretch = v.T @ np.diag(1 / stretch) @ v
    posed = (found - shift) @ rotation
    spline = RBFInterpolator(posed, known - posed @ unstretch, smoothing=20.0)
    axes = [np.arange(size) + o for size, o in zip(SHAPE, ORIGIN_MM, strict=True)]
    coarse = np.stack(np.meshgrid(*(axis[::8] for axis in axes), indexing="ij"), axis=-1)
    residual = spline(coarse.reshape(-1, 3)).reshape(coarse.shape)
    position = np.stack(np.meshgrid(*axes, indexing="ij")).astype(np.float32)
    to_donor = np.tensordot(rotation.astype(np.float32), position, 1) + _column(shift)
    to_mni = np.tensordot(unstretch.astype(np.float32), position, 1) + _enlarge(residual)
    return to_donor, to_mni


def _enlarge(coarse: np.ndarray) -> np.ndarray:
    """A coarse field (z, y, x, channels) over the whole grid, (channels, *SHAPE), linear."""
    field = torch.from_numpy(coarse.astype(np.float32)).movedim(-1, 0)[None]
    return F.interpolate(field, SHAPE, mode="trilinear", align_corners=True)[0].numpy()


def hindbrain(mni: Volume) -> np.ndarray:
    """Cerebellum and brainstem in MNI space: a watershed over the bright brain, whose dark ridges
    are the fluid under the tentorium, from markers at known places."""
    z, y, x = np.indices(mni.image.shape, dtype=np.float32) + _column(mni.origin_mm)
    brain = mni.labels["gm"] + mni.labels["wm"]
    markers = np.zeros(mni.image.shape, np.int32)
    markers[(mni.labels["wm"] > 0.9) & ((z > 2) | (y < 0))] = WHITE
    for middle in ((-38, 62, 22), (-38, 62, -22), (-28, 66, 0), (-45, 60, 35), (-45, 60, -35)):
        markers[sum((a - m) ** 2 for a, m in zip((z, y, x), middle, strict=True)) < 64] = CEREBELLUM
    axis_y = np.interp(z, [-60, -48, -30, -8], [42, 38, 26, 20])
    markers[(z < -8) & ((y - axis_y) ** 2 + x**2 < 49)] = BRAINSTEM
    found = watershed(-ndimage.gaussian_filter(brain, 1.0), markers, mask=brain > 0.15)
    found[(found == BRAINSTEM) & ((z > -6) | (np.hypot(y - axis_y, x) > 20))] = 0
    return found


def _skull_distance(brain: np.ndarray) -> np.ndarray:
    """Distance to the inner skull [mm], negative inside: the brain closed with a ball of 18 mm.

    Worked out at 2 mm, where it is eight times faster and the surface comes out smooth.
    """
    half = np.pad(brain.reshape(SHAPE[0] // 2, 2, SHAPE[1] // 2, 2, -1, 2).max((1, 3, 5)), 11)
    grown = ndimage.distance_transform_edt(~half) <= 9
    closed = ndimage.binary_fill_holes(ndimage.distance_transform_edt(grown) > 9)
    outside, inside = (ndimage.distance_transform_edt(mask) for mask in (~closed, closed))
    signed = 2 * (outside - inside)[11:-11, 11:-11, 11:-11]
    return _enlarge(ndimage.gaussian_filter(signed, 0.7)[..., None])[0]


def _fill(tissue: np.ndarray, distance: np.ndarray, grey: np.ndarray, white: np.ndarray) -> None:
    """Gives every unlabelled voxel inside the skull its tissue."""
    inside, brain = distance < 0, grey + white
    free = inside & (tissue == 0)
    markers = np.zeros(SHAPE, np.int32)
    markers[~inside] = CSF
    wide = ~ndimage.binary_dilation(tissue > 0, iterations=3)  # no sulcus is that wide
    markers[free & (white > 0.8) & (distance < -8) & wide] = WHITE
    z, y, x = voxel_grid(SHAPE).numpy() + _column(ORIGIN_MM).astype(np.float32)
    central = (np.abs(x) < 30) & (y > -45) & (y < 65) & (z > -60) & (z < 34)
    markers[free & (brain < 0.4) & (distance < -25) & central] = VENTRICLE
    # Growth runs along likely white matter first and is slow where the average holds fluid.
    cost = np.round(8 * np.clip(1 - brain, 0, 1)).astype(np.uint8)
    grown = watershed(cost, markers, mask=free | ~inside)
    tissue[free] = grown[free]
    tissue[free & (tissue == 0)] = CSF
    # In the cerebellum the average itself tells folia from fluid and white from grey matter.
    cerebellum = tissue == CEREBELLUM
    tissue[cerebellum & (brain < 0.35)] = CSF
    tissue[cerebellum & (white > 0.5)] = CEREBELLUM_WHITE


def _shells(tissue: np.ndarray, distance: np.ndarray, generator: torch.Generator) -> None:
    """Fluid, skull and scalp around the brain, each of smoothly varying thickness [mm]."""

    def thickness(mean: float, deviation: float) -> np.ndarray:
        coarse = [size // 16 for size in SHAPE]
        noise = random_velocity(coarse, 1, 1.0, 1.0, generator)[0, 0].numpy()
        return np.clip(mean + deviation * _enlarge(noise[..., None])[0], 0.4 * mean, None)

    z, y, x = voxel_grid(SHAPE).numpy() + _column(ORIGIN_MM).astype(np.float32)
    temporal = np.exp(-(((z + 5) / 32) ** 2) - ((y + 22) / 28) ** 2)
    temporal *= np.clip((np.abs(x) - 40) / 15, 0, 1)
    thin = 1 - 0.5 * temporal  # the temporal bone is thin, and a muscle lies on it
    layers = (
        ("csf", thickness(1.8, 0.5)),
        ("compact_bone", thickness(1.7, 0.3) * thin),
        ("marrow", thickness(2.6, 0.9) * thin),
        ("compact_bone", thickness(1.8, 0.3) * thin),
        ("muscle", 9 * temporal),
        ("fat", thickness(3.2, 0.9)),
        ("skin", thickness(2.0, 0.3)),
    )
    outer = np.zeros(SHAPE, np.float32)
    for name, width in layers:
        inner, outer = outer, outer + width
        tissue[(distance >= inner) & (distance < outer)] = _NUMBER[name]


def _detail(tissue: np.ndarray, t1: np.ndarray, heavy: np.ndarray) -> np.ndarray:
    """Myelin within tissues: what the MNI T1 shows inside nuclei, brainstem, cerebellum and deep
    white matter, where it needs no match of the folds, and more of it in the primary cortices."""
    detail = np.zeros(SHAPE, np.float32)
    own = [WHITE, BRAINSTEM, CEREBELLUM, CEREBELLUM_WHITE, *(_NUMBER[name] for name in _NUCLEI)]
    for number in own:
        where = tissue == number
        detail[where] = t1[where] / np.median(t1[where]) - 1
    near = ndimage.gaussian_filter((tissue == GREY).astype(np.float32), 2.5)
    detail *= np.where(tissue == WHITE, np.clip(1 - 5 * near, 0, 1), 1)
    detail[tissue == GREY] = 0.06 * heavy[tissue == GREY]
    return np.clip(detail, -0.25, 0.25)
