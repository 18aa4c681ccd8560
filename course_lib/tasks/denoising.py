"""Denoising of low-dose CT (survey section 2.1.1).

Real CT slices are taken for the truth about the patient. Physics scans them twice: once with many
photons (`normal_dose`, the target) and once with few (`low_dose`, the input); both are
reconstructed by filtered back-projection, so that they differ in dose and in nothing else, as in
the AAPM low-dose CT challenge. As on a real scanner, automatic exposure control sends more photons
through thicker patients: the dose is set by the photons that arrive. What is measured are the HU
of the patient; what is simulated are both scans of that patient.

Patients: `chest_ct` (one patient) gives training and validation blocks of slices and, with gaps of
10 mm, a held-out block that is reported apart. The four patients of `lung_tumours` are only ever
tested on. Their images are crops of 134 to 200 mm; so that photons cross as much tissue as in a
whole chest, each crop is put into an elliptical chest of 340 x 250 mm (a soft-tissue wall of 30 mm
around a mixture of lung and soft tissue, -500 HU; then the line integrals reach as high as in
`chest_ct`), and only the crop is scored.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Batch, Cases, join, random_patches
from course_lib.data.volumes import Volume
from course_lib.metrics import image as image_metrics
from course_lib.metrics import texture
from course_lib.physics import ct
from course_lib.tasks.base import Metric, Panel, Plan, Splits, Task

# Photons that arrive at the detector behind the thickest twentieth of a slice.
LOW_PHOTONS, NORMAL_PHOTONS = 400.0, 10_000.0
ELECTRONIC_NOISE = 5.0
FIELD_MM = 360.0
BODY_MM, WALL_MM, INTERIOR_HU = (250.0, 340.0), 30.0, -500.0
HU_RANGE = (-1000.0, 1000.0)
LUNG_WINDOW, SOFT_WINDOW = (-1350.0, 150.0), (-160.0, 240.0)
OTHER_PATIENTS, SAME_PATIENT = "other patients", "same patient, held-out block"

# Blocks of chest_ct in slices of 2.5 mm. Four slices (10 mm) lie unused between two blocks.
TRAIN_BLOCKS, VALIDATION_BLOCK, TEST_BLOCK = ((8, 62), (96, 126)), (66, 74), (78, 92)


@dataclass(frozen=True)
class Size:
    """Pixels along a side, views over 180 degrees, training patch, and how many slices of each
    test patient, of the held-out block and of the validation block are used."""

    pixels: int
    views: int
    patch: int
    test_slices: int
    block_slices: int
    validation_slices: int
    every: int = 1


SIZES = {
    "smoke": Size(64, 60, 32, 1, 2, 1, every=12),
    "class": Size(256, 180, 40, 3, 4, 2),
    "full": Size(512, 720, 64, 20, 14, 8),
}


@lru_cache(maxsize=1)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """Scans the patients. The seed decides the noise of every scan; slices and splits are fixed.
    The latest cases are kept, because a lesson asks for the same ones several times."""
    from course_lib.data import volumes

    size = SIZES[profile]
    chest = volumes.chest_ct()
    training = [z for start, end in TRAIN_BLOCKS for z in range(start, end, size.every)]
    validation = _spread(*VALIDATION_BLOCK, size.validation_slices)
    tests = [
        _scan(chest, _middle(*TEST_BLOCK, size.block_slices), size, SAME_PATIENT, (seed, "block"))
    ]
    if dataset == "chest_ct+lung_tumours":
        for patient in volumes.lung_tumours():
            slices = _middle(*_tumour_range(patient), size.test_slices)
            scan = _scan(patient, slices, size, OTHER_PATIENTS, (seed, patient.subject))
            tests.append(scan)
        tests = tests[1:] + tests[:1]
    return Splits(
        train=_scan(chest, training, size, "training", (seed, "training")),
        validation=_scan(chest, validation, size, "validation", (seed, "validation")),
        test=join(tests),
    )


def _spread(start: int, end: int, count: int) -> list[int]:
    """`count` slices spread evenly over a block."""
    return [round(start + (end - 1 - start) * (i + 0.5) / count) for i in range(count)]


def _middle(start: int, end: int, count: int) -> list[int]:
    """`count` adjacent slices in the middle of a block, so that each has neighbours."""
    first = (start + end - count) // 2
    return list(range(first, first + count))


def _tumour_range(volume: Volume) -> tuple[int, int]:
    """The slices that show the tumour."""
    rows = volume.labels["gtv"].any(axis=(1, 2)).nonzero()[0]
    return int(rows[0]), int(rows[-1]) + 1


def _scan(
    volume: Volume, slices: list[int], size: Size, group: str, seed: tuple[int, str]
) -> Cases:
    """Both scans of some slices of one patient, as Cases. `neighbours` holds for each case the
    rows of the slices below and above (itself at an end)."""
    generator = torch.Generator().manual_seed(_number(seed))
    pixel_mm = FIELD_MM / size.pixels
    truth, region = _on_grid(volume, slices, size.pixels, pixel_mm)
    beam = ct.ParallelBeam(size.pixels, size.views, pixel_mm)
    clean = beam.forward(ct.hu_to_attenuation(truth))
    low, normal = (
        ct.low_dose_sinogram(clean, exposure(clean, arriving), ELECTRONIC_NOISE, generator)
        for arriving in (LOW_PHOTONS, NORMAL_PHOTONS)
    )
    count = len(slices)
    row = torch.arange(count)
    beside = torch.stack([(row - 1).clamp_min(0), row, (row + 1).clamp_max(count - 1)], dim=1)
    adjacent = torch.tensor(slices)[beside].diff(dim=1).abs() <= 1
    beside[:, 0] = torch.where(adjacent[:, 0], beside[:, 0], row)
    beside[:, 2] = torch.where(adjacent[:, 1], beside[:, 2], row)
    low_dose = ct.attenuation_to_hu(beam.fbp(low))
    return Cases(
        tensors={
            "low_dose": low_dose,
            "low_dose_stack": low_dose[beside, 0],
            "normal_dose": ct.attenuation_to_hu(beam.fbp(normal)),
            "sinogram": low,
            "region": region.expand(count, 4).contiguous(),
            "pixel_mm": torch.full((count,), pixel_mm),
        },
        case=[f"{volume.subject}/z{z:03d}" for z in slices],
        subject=[volume.subject] * count,
        group=[group] * count,
        spacing_mm=torch.full((count, 2), pixel_mm),
        provenance={
            "low_dose": "simulated scan of measured HU",
            "normal_dose": "simulated scan of measured HU",
            "sinogram": "simulated from measured HU",
        },
    )


def exposure(line_integrals: Tensor, arriving: float) -> Tensor:
    """Automatic exposure control: the photons per ray I₀ to send, (N, 1, 1, 1), so that `arriving`
    come through where a slice is thickest: I₀ = arriving · exp(p₉₅), p₉₅ the 95th percentile of
    its rays (N, 1, views, detectors)."""
    thick = torch.stack([torch.quantile(one, 0.95) for one in line_integrals.flatten(1)])
    return arriving * thick.exp().view(-1, 1, 1, 1)


def _number(seed: tuple[int, str]) -> int:
    """A generator seed from a run's seed and a word, the same on every machine."""
    import zlib

    return zlib.crc32(f"denoising/{seed[1]}/{seed[0]}".encode())


def _on_grid(
    volume: Volume, slices: list[int], pixels: int, pixel_mm: float
) -> tuple[Tensor, Tensor]:
    """Slices on the common square grid, (n, 1, pixels, pixels) HU, and the scored rectangle
    (top, left, bottom, right)."""
    image = torch.from_numpy(volume.image[slices])[:, None]
    extent = [round(image.shape[i] * volume.spacing_mm[i - 1] / pixel_mm) for i in (2, 3)]
    height, width = (min(length, pixels) for length in extent)
    image = F.interpolate(image, size=(height, width), mode="bilinear", antialias=True)
    image = image.clamp(*HU_RANGE) if volume.unit == "HU" else image
    top, left = (pixels - height) // 2, (pixels - width) // 2
    if (height, width) == (pixels, pixels):
        return image, _body(image)
    whole = _chest(pixels, pixel_mm).expand(len(slices), 1, -1, -1).clone()
    whole[..., top : top + height, left : left + width] = image
    return whole, torch.tensor([top, left, top + height, left + width])


def _chest(pixels: int, pixel_mm: float) -> Tensor:
    """An elliptical chest, (1, 1, pixels, pixels) HU: air, a wall of soft tissue, the interior."""
    line = (torch.arange(pixels) - (pixels - 1) / 2) * pixel_mm

    def inside(margin: float) -> Tensor:
        half_height, half_width = (length / 2 - margin for length in BODY_MM)
        return (line[:, None] / half_height) ** 2 + (line[None] / half_width) ** 2 <= 1

    body = torch.where(inside(0), 0.0, -1000.0)
    return torch.where(inside(WALL_MM), INTERIOR_HU, body)[None, None]


def _body(image: Tensor) -> Tensor:
    """The rectangle that holds all pixels above -300 HU in any slice."""
    inside = (image > -300).any(dim=0)[0]
    rows, columns = inside.any(1).nonzero()[:, 0], inside.any(0).nonzero()[:, 0]
    return torch.tensor([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1])


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """Random patches of low and normal dose, turned and mirrored at random."""
    batch = random_patches(
        train, ("low_dose", "normal_dose"), count, SIZES[profile].patch, generator
    )
    turns, mirror = torch.randint(4, (1,), generator=generator), torch.rand(1, generator=generator)
    for name, value in batch.items():
        value = torch.rot90(value, int(turns), (2, 3))
        batch[name] = (value.flip(3) if mirror < 0.5 else value).contiguous()
    return batch


def score(prediction: Tensor, batch: Batch) -> dict[str, Tensor]:
    """PSNR, SSIM, RMSE in two windows and the distance of noise textures, per case."""
    prediction, target = (x.clamp(*HU_RANGE) for x in (prediction, batch["normal_dose"]))
    region, pixel_mm = batch["region"], float(batch["pixel_mm"][0])
    data_range = HU_RANGE[1] - HU_RANGE[0]
    rois = flat_tissue(target, region)
    return {
        "psnr": image_metrics.psnr(prediction, target, data_range, region),
        "ssim": image_metrics.ssim(prediction, target, data_range, region),
        "rmse_soft": image_metrics.rmse(prediction, target, SOFT_WINDOW, region),
        "rmse_lung": image_metrics.rmse(prediction, target, LUNG_WINDOW, region),
        "nps_distance": texture.nps_distance(prediction, target, rois, pixel_mm),
    }


def flat_tissue(target: Tensor, region: Tensor) -> Tensor:
    """Squares of flat soft tissue inside the scored region, (N, 12, 4), for the noise spectrum."""
    line = torch.arange(target.shape[-1], device=target.device)
    top, left, bottom, right = region.T[:, :, None]
    rows, columns = (line >= top) & (line < bottom), (line >= left) & (line < right)
    inside = (rows[:, :, None] & columns[:, None]).unsqueeze(1)
    size = 16 if target.shape[-1] >= 256 else 8
    return texture.flat_rois(
        torch.where(inside, target, -1000.0), size=size, count=12, value_range=(-150.0, 200.0)
    )


def pictures(prediction: Tensor, batch: Batch) -> dict[str, Panel]:
    """The scored region's middle: input, output, truth, and output minus truth."""
    pixels = prediction.shape[-1]
    side = min(pixels, round(200 / FIELD_MM * pixels))
    middle = (batch["region"][:, :2] + batch["region"][:, 2:]) // 2
    corner = (middle - side // 2).clamp(0, pixels - side)
    span = torch.arange(side, device=prediction.device)
    rows, columns = corner[:, :1] + span, corner[:, 1:] + span
    case = torch.arange(len(prediction), device=prediction.device)[:, None, None]

    def crop(image: Tensor) -> Tensor:
        return image[case, 0, rows[:, :, None], columns[:, None, :]]

    output, truth = crop(prediction), crop(batch["normal_dose"])
    window = (-800.0, 400.0)
    return {
        "input": Panel(crop(batch["low_dose"]), "grey", window, "HU", shared=True),
        "output": Panel(output, "grey", window, "HU", shared=False),
        "truth": Panel(truth, "grey", window, "HU", shared=True),
        "error": Panel(output - truth, "signed", (-150.0, 150.0), "HU", shared=False),
    }


TASK = Task(
    id="denoising",
    title="Denoising of low-dose CT",
    survey="2.1.1",
    headline="psnr",
    metrics={
        "psnr": Metric(
            "dB", "higher", "Peak signal-to-noise ratio over -1000 to 1000 HU (range 2000 HU)."
        ),
        "ssim": Metric("", "higher", "Structural similarity over -1000 to 1000 HU, Gaussian 1.5."),
        "rmse_soft": Metric(
            "HU", "lower", "Root mean square error inside the soft-tissue window, -160 to 240 HU."
        ),
        "rmse_lung": Metric(
            "HU", "lower", "Root mean square error inside the lung window, -1350 to 150 HU."
        ),
        "nps_distance": Metric(
            "dB", "lower", "Distance of noise power spectra in flat soft tissue; 0: same texture."
        ),
    },
    sources={
        "chest_ct+lung_tumours": ("chest_ct", "lung_tumours"),
        "chest_ct": ("chest_ct",),
    },
    plans={
        "smoke": Plan(steps=6, batch=4, evaluations=2),
        "class": Plan(steps=700, batch=6),
        "full": Plan(steps=40_000, batch=32, evaluations=40),
    },
    make=make,
    sample=sample,
    score=score,
    pictures=pictures,
    lesson="01_restoration/01_denoising",
)
