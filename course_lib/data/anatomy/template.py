"""Templates: pieces of real anatomy that every drawn case is a deformation of.

A template is a tissue map with its fine detail, 2D or 3D, of one subject. Heads take some ten
seconds per donor to complete (`donor.py`), so they are kept in the cache folder.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch.nn import functional as F

from course_lib.data import derived
from course_lib.data.anatomy import chest, donor
from course_lib.data.sets import brain_donors, brain_mni, chest_ct
from course_lib.data.volume import Volume
from course_lib.errors import CourseError

DETAIL_UNITS = 400
"""How many steps of a template's `detail` make a relative change of one."""
LEVELS_MM = {"brain": np.arange(-24, 58, 2.0), "chest": np.arange(-300, -70, 2.5)}
"""Where 2D templates are cut, z in mm: from the temporal lobes up, from the liver to the arch."""
CENTRE_MM = {"brain": (8.0, 16.0, 0.0), "chest": (-175.0, 8.0, 14.0)}
"""Middle of the field of view (z, y, x), LPS mm."""
FIELD_OF_VIEW_MM = {"brain": 224.0, "chest": 360.0}
_BLOCKS = 4  # of the one chest, with 10 mm between them


@dataclass(frozen=True, eq=False)
class Template:
    """A piece of anatomy on its own grid.

    tissue: uint8 (y, x) or (z, y, x). detail: int8 of the same extent, any
    resolution, relative deviation of myelin in units of 1/400.
    measured: real images of the same extent by contrast (`ct` of the chest). first_mm, spacing_mm:
    of `tissue`, in the order of its axes. subject: whose anatomy; name: which piece of it.
    """

    tissue: np.ndarray
    detail: np.ndarray
    measured: dict[str, np.ndarray]
    first_mm: tuple[float, ...]
    spacing_mm: tuple[float, ...]
    subject: str
    name: str


def subjects(region: str, dims: int = 2) -> tuple[str, ...]:
    """Whose anatomy there is: six donors' heads; one patient's chest.

    In 2D the chest comes as four blocks of slices with gaps between them, so that something can be
    held out. They are of the same person: report them as such.
    Raises CourseError for another region.
    """
    if region == "brain":
        return tuple(f"donor-{name}" for name in brain_donors.DONORS)
    if region == "chest":
        blocks = tuple(f"LIDC-IDRI-0001/block-{k + 1}" for k in range(_BLOCKS))
        return blocks if dims == 2 else ("LIDC-IDRI-0001",)
    raise CourseError(f"There is no region {region!r}: choose 'brain' or 'chest'.")


def levels(region: str, subject: str) -> np.ndarray:
    """Heights z [mm] at which 2D templates of a subject are cut."""
    everywhere = LEVELS_MM[region]
    if region == "brain":
        return everywhere
    block = np.array_split(everywhere, _BLOCKS)[int(subject[-1]) - 1]
    return block[4:] if subject[-1] != "1" else block


@lru_cache(maxsize=512)
def slice_template(region: str, subject: str, level_mm: float) -> Template:
    """The axial template of a subject at height z = `level_mm`."""
    name = f"z{level_mm:+06.1f}"
    if region == "brain":
        whole = _head(subject)
        row = int(np.argmin(np.abs(LEVELS_MM[region] - level_mm)))
        depth = round(float(level_mm - donor.ORIGIN_MM[0]))
        first = tuple(donor.ORIGIN_MM[1:] - 0.25)
        layer = whole["fine"][row], whole["detail"][depth]
        return Template(*layer, {}, first, (0.5, 0.5), subject, name)
    whole = _chest()
    k = round((level_mm - whole.first_mm[0]) / whole.spacing_mm[0])
    return Template(
        whole.tissue[k],
        whole.detail[k],
        {contrast: image[k] for contrast, image in whole.measured.items()},
        whole.first_mm[1:],
        whole.spacing_mm[1:],
        subject,
        name,
    )


@lru_cache(maxsize=8)
def volume_template(region: str, subject: str) -> Template:
    """The whole 3D template of a subject."""
    if region == "chest":
        return _chest()
    whole = _head(subject)
    first = tuple(donor.ORIGIN_MM)
    return Template(whole["tissue"], whole["detail"], {}, first, (1.0, 1.0, 1.0), subject, "head")


@lru_cache(maxsize=1)
def _chest() -> Template:
    scan = chest_ct.load()
    tissue, detail = chest.tissue_map(scan, chest_ct.organ_names())
    image = np.where(tissue > 0, scan.image, -1000).astype(np.float32)  # without the table
    return Template(
        tissue,
        _quantise(detail),
        {"ct": image},
        scan.origin_mm,
        scan.spacing_mm,
        scan.subject,
        "chest",
    )


@lru_cache(maxsize=1)
def _average() -> tuple[Volume, np.ndarray]:
    mni = brain_mni.load()
    return mni, donor.hindbrain(mni)


@lru_cache(maxsize=6)
def _head(subject: str) -> dict[str, np.ndarray]:
    """A donor's head from the cache, or worked out and put there (about ten seconds)."""

    def work_out() -> dict[str, np.ndarray]:
        number = subjects("brain").index(subject)
        tissue, detail = donor.head(brain_donors.load()[number], *_average(), number)
        rows = np.round(LEVELS_MM["brain"] - donor.ORIGIN_MM[0]).astype(int)
        fine = np.stack([_refine(tissue[row]) for row in rows])
        return {"tissue": tissue, "detail": _quantise(detail), "fine": fine}

    return derived.kept(f"anatomy/{subject}", work_out, __name__)


def _quantise(detail: np.ndarray) -> np.ndarray:
    return np.round(detail * DETAIL_UNITS).astype(np.int8)


def _refine(layer: np.ndarray) -> np.ndarray:
    """A label map at twice the resolution with smooth outlines instead of stairs."""
    present = np.unique(layer)
    shares = torch.from_numpy((layer == present[:, None, None]).astype(np.float32))[None]
    kernel = torch.tensor([0.15, 0.7, 0.15]).outer(torch.tensor([0.15, 0.7, 0.15]))
    shares = F.conv2d(shares.transpose(0, 1), kernel[None, None], padding=1).transpose(0, 1)
    fine = F.interpolate(shares, scale_factor=2, mode="bicubic", align_corners=False)
    return present[fine[0].argmax(0).numpy()].astype(np.uint8)
