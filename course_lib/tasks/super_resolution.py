"""Super-resolution of CT (survey section 2.1.2).

A case is a block of slices of a real CT. It is taken for the truth (`high_resolution`) and spoilt
into fewer, larger voxels (`low_resolution`); what is measured are the HU, what is simulated is the
loss of detail. A data set's name says whose volumes, how detail is lost, and by which factor:

    chest_ct+lung_tumours/bicubic_x3     in-plane, cubic convolution (image editors; no scanner)
                         /blur_x3        in-plane, Gaussian blur and decimation (detector elements)
                         /kspace_x3      in-plane, central k-space only (MR; applied to CT images)
                         /thick_x3       through-plane, means over thick slices, and noise of 10 HU

Factors are 2, 3 and 4, and 6 for one network that serves factors it never saw. `scale` (N, 3) holds
a case's factors along (z, y, x). All networks may use the planes that lost detail, or the block.

Patients: blocks of `chest_ct` (one patient) train and validate; one more, 10 mm away from them, is
reported apart. The four patients of `lung_tumours` are only ever tested on: blocks around the
tumour. In-plane all are resampled to one pixel size; slices stay as measured (2.5 and 3 mm).
"""

import zlib
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Batch, Cases, join, random_index
from course_lib.data.volumes import Volume
from course_lib.metrics import image as image_metrics
from course_lib.metrics import texture
from course_lib.parts.planes import Scale, scale_of, to_planes
from course_lib.physics.degradation import degrade
from course_lib.physics.resolution import enlarge
from course_lib.tasks.base import Metric, Panel, Plan, Splits, Task

HU_RANGE = (-1000.0, 1000.0)
OTHER_PATIENTS, SAME_PATIENT = "other patients", "same patient, held-out block"
KINDS, FACTORS = ("bicubic", "blur", "kspace", "thick"), (3, 2, 4, 6)
MIXED_FACTORS = (2, 3, 4)  # of the field `interpolated`; 6 stays unseen
THICK_NOISE_HU = 10.0
DEPTH = 12  # slices in a block; like all sides, a multiple of every factor

# First slices of the blocks of chest_ct. At least four slices (10 mm) lie between two parts.
TRAIN_BLOCKS, VALIDATION_BLOCK, TEST_BLOCK = (10, 22, 34, 46, 94, 106), 62, 78


@dataclass(frozen=True)
class Size:
    """Pixel size (mm), pixels along a side of a tested crop and of a training patch, the blocks
    that train, and the blocks of each test patient."""

    pixel_mm: float
    crop: int
    patch: int
    train_blocks: tuple[int, ...] = TRAIN_BLOCKS
    test_blocks: int = 2


SIZES = {
    "smoke": Size(2.5, 48, 24, TRAIN_BLOCKS[1::3], 1),
    "class": Size(1.25, 96, 48),
    "full": Size(1.0, 120, 60, test_blocks=3),
}


def parse(dataset: str) -> tuple[str, str, Scale]:
    """(patients, kind, factors along z, y, x) from a data set's name."""
    patients, _, rest = dataset.partition("/")
    kind, _, factor = rest.partition("_x")
    number = int(factor)
    return patients, kind, (number, 1, 1) if kind == "thick" else (1, number, number)


@lru_cache(maxsize=2)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """Cuts blocks out of the patients and spoils them. The seed decides the noise of thick slices;
    the other kinds have none. The latest cases are kept: a lesson asks for the same ones often."""
    patients, kind, scale = parse(dataset)
    size = SIZES[profile]
    spoil = {"kind": kind, "scale": scale, "seed": seed}
    chest = _chest(size.pixel_mm)
    side = min(chest.shape[1:]) // 12 * 12  # every factor divides 12
    lungs = [((side - size.crop) // 2, round(x * side - size.crop / 2)) for x in (0.32, 0.68)]
    subject, slice_mm = "LIDC-IDRI-0001", 2.5

    def of_chest(starts: tuple[int, ...], corners: list, crop: int, group: str) -> Cases:
        places = [(z, *corner) for z in starts for corner in corners]
        return _cases(chest, places, crop, subject, slice_mm, size, group, **spoil)

    tests = [of_chest((TEST_BLOCK,), lungs, size.crop, SAME_PATIENT)]
    if patients == "chest_ct+lung_tumours":
        others = []
        for patient in _lung_tumours():
            fine = _resampled(patient, size.pixel_mm)
            places = _around_tumour(patient, fine.shape, size)
            about = (patient.subject, patient.spacing_mm[0], size, OTHER_PATIENTS)
            others.append(_cases(fine, places, size.crop, *about, **spoil))
        tests = others + tests
    train = of_chest(size.train_blocks, [(0, 0)], side, "training")
    return Splits(
        train=_with_mixed_factors(train, kind, seed),
        validation=of_chest((VALIDATION_BLOCK,), lungs, size.crop, "validation"),
        test=join(tests),
    )


@lru_cache(maxsize=1)
def _chest(pixel_mm: float) -> Tensor:
    """The training patient, kept because reading it takes longer than all the rest."""
    from course_lib.data import volumes

    return _resampled(volumes.chest_ct(), pixel_mm)


@lru_cache(maxsize=1)
def _lung_tumours() -> list[Volume]:
    from course_lib.data import volumes

    return volumes.lung_tumours()


def _resampled(volume: Volume, pixel_mm: float) -> Tensor:
    """The volume (z, y, x) in HU on pixels of `pixel_mm`; its slices stay as they are."""
    extent = [
        int(n * mm / pixel_mm)
        for n, mm in zip(volume.image.shape[1:], volume.spacing_mm[1:], strict=True)
    ]
    image = torch.from_numpy(volume.image)[:, None]
    return F.interpolate(image, size=extent, mode="bilinear", antialias=True)[:, 0].clamp(*HU_RANGE)


def _around_tumour(patient: Volume, shape: torch.Size, size: Size) -> list[tuple[int, int, int]]:
    """First voxels (z, y, x) of adjacent blocks around the tumour's centre, inside the volume."""
    tumour = patient.labels["gtv"].nonzero()
    lengths = (DEPTH * size.test_blocks, size.crop, size.crop)
    corner = []
    for axis in range(3):
        centre = float(tumour[axis].mean()) * shape[axis] / patient.image.shape[axis]
        first = round(centre - lengths[axis] / 2)
        corner.append(max(0, min(first, shape[axis] - lengths[axis])))
    z, y, x = corner
    return [(z + DEPTH * i, y, x) for i in range(size.test_blocks)]


def _cases(
    fine: Tensor,
    places: list[tuple[int, int, int]],
    side: int,
    subject: str,
    slice_mm: float,
    size: Size,
    group: str,
    *,
    kind: str,
    scale: Scale,
    seed: int,
) -> Cases:
    """Blocks of a volume from their first voxels on, and what is left of them."""
    high = torch.stack([fine[z : z + DEPTH, y : y + side, x : x + side] for z, y, x in places])[
        :, None
    ]
    count = len(places)
    return Cases(
        tensors={
            "high_resolution": high,
            "low_resolution": _spoil(high, kind, scale, (seed, f"{subject}/{group}")),
            "scale": torch.tensor(scale).expand(count, 3).contiguous(),
        },
        case=[f"{subject}/z{z:03d}y{y:03d}x{x:03d}" for z, y, x in places],
        subject=[subject] * count,
        group=[group] * count,
        spacing_mm=torch.tensor([slice_mm, size.pixel_mm, size.pixel_mm]).expand(count, 3),
        provenance={
            "high_resolution": "measured HU, resampled in-plane",
            "low_resolution": "simulated from measured HU",
        },
    )


def _spoil(high: Tensor, kind: str, scale: Scale, seed: tuple[int, str]) -> Tensor:
    """Low resolution of the data set's kind, in HU."""
    generator = torch.Generator().manual_seed(zlib.crc32(f"super_resolution/{seed}".encode()))
    noise = THICK_NOISE_HU if kind == "thick" else 0.0
    return degrade(high, kind, scale, noise, generator)


def _with_mixed_factors(train: Cases, kind: str, seed: int) -> Cases:
    """The same with `interpolated` (N, K, D, H, W): the blocks spoilt by each of MIXED_FACTORS and
    enlarged again by cubic splines."""
    high, enlarged = train["high_resolution"], []
    for factor in MIXED_FACTORS:
        scale = parse(f"/{kind}_x{factor}")[2]
        enlarged.append(enlarge(_spoil(high, kind, scale, (seed, f"mixed {factor}")), scale))
    return replace(train, tensors=train.tensors | {"interpolated": torch.cat(enlarged, dim=1)})


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """Random patches of whole depth, all mirrored alike. `interpolated` (count, 1, D, H, W) has a
    factor of its own, drawn from MIXED_FACTORS, in every case."""
    scale, side = scale_of(train["scale"]), SIZES[profile].patch
    coarse = [train["high_resolution"].shape[-1] // scale[2], side // scale[2]]
    case = random_index(train, count, generator)
    corner = torch.randint(coarse[0] - coarse[1] + 1, (count, 2), generator=generator).to(case)
    factor = torch.randint(len(MIXED_FACTORS), (count,), generator=generator).tolist()
    parts: dict[str, list[Tensor]] = {name: [] for name in train.tensors if name != "scale"}
    for k, (number, (y, x)) in enumerate(zip(case.tolist(), corner.tolist(), strict=True)):
        for name, patches in parts.items():
            step, width = (1, coarse[1]) if name == "low_resolution" else (scale[2], side)
            top, left = y * step, x * step
            patch = train[name][number, :, :, top : top + width, left : left + width]
            patches.append(patch[factor[k], None] if name == "interpolated" else patch)
    axes = [axis for axis in (2, 3, 4) if torch.rand(1, generator=generator) < 0.5]
    batch = {name: torch.stack(patches).flip(axes) for name, patches in parts.items()}
    return batch | {"scale": train["scale"][:1].expand(count, 3)}


def score(prediction: Tensor, batch: Batch) -> dict[str, Tensor]:
    """PSNR, SSIM and what is left of the edges, per block."""
    scale, cases = scale_of(batch["scale"]), len(prediction)
    prediction, target = (x.clamp(*HU_RANGE) for x in (prediction, batch["high_resolution"]))
    data_range = HU_RANGE[1] - HU_RANGE[0]
    planes = [to_planes(volume, scale) for volume in (prediction, target)]

    def mean(values: Tensor) -> Tensor:
        return values.view(cases, -1).nanmean(dim=1)

    return {
        "psnr": image_metrics.psnr(prediction, target, data_range),
        "ssim": mean(image_metrics.ssim(*(p - HU_RANGE[0] for p in planes), data_range)),
        "edge_distance": mean(texture.edge_distance(*planes)),
        "edge_sharpness": mean(texture.edge_sharpness(*planes)),
    }


def pictures(prediction: Tensor, batch: Batch) -> dict[str, Panel]:
    """The middle plane that lost detail: input (coarse pixels), output, truth, and the error."""
    scale = scale_of(batch["scale"])
    low = batch["low_resolution"]
    for axis, factor in enumerate(scale, start=2):
        low = low.repeat_interleave(factor, dim=axis)

    def middle(volume: Tensor) -> Tensor:
        if scale[0] == 1:
            return volume[:, 0, DEPTH // 2]
        # Slices are about twice as thick as pixels are wide: so the coronal plane keeps its shape.
        return volume[:, 0, :, volume.shape[3] // 2].repeat_interleave(2, dim=1)

    output, truth = middle(prediction), middle(batch["high_resolution"])
    window = (-1000.0, 400.0)
    return {
        "input": Panel(middle(low), "grey", window, "HU", shared=True),
        "output": Panel(output, "grey", window, "HU", shared=False),
        "truth": Panel(truth, "grey", window, "HU", shared=True),
        "error": Panel(output - truth, "signed", (-300.0, 300.0), "HU", shared=False),
    }


TASK = Task(
    id="super_resolution",
    title="Super-resolution of CT",
    survey="2.1.2",
    headline="psnr",
    metrics={
        "psnr": Metric(
            "dB", "higher", "Peak signal-to-noise ratio over -1000 to 1000 HU (range 2000 HU)."
        ),
        "ssim": Metric(
            "",
            "higher",
            "Structural similarity over -1000 to 1000 HU in the planes that lost detail.",
        ),
        "edge_distance": Metric(
            "", "lower", "Error of the gradients at the truth's edges; 1 means that they are gone."
        ),
        "edge_sharpness": Metric(
            "", "higher", "Gradients at the truth's edges, relative to the truth's; below 1: blur."
        ),
    },
    sources={
        f"{patients}/{kind}_x{factor}": tuple(patients.split("+"))
        for factor in FACTORS
        for kind in KINDS
        for patients in ("chest_ct+lung_tumours", "chest_ct")
    },
    plans={
        "smoke": Plan(steps=6, batch=2, evaluations=2),
        "class": Plan(steps=300, batch=2),
        "full": Plan(steps=40_000, batch=16, evaluations=40),
    },
    make=make,
    sample=sample,
    score=score,
    pictures=pictures,
    lesson="01_restoration/02_super_resolution",
)
