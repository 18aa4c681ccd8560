"""Denoising of low-dose CT (survey section 2.1.1).

Real CT slices are taken for the truth about the patient. Physics scans them twice: once with many
photons (`normal_dose`, the target) and once with few (`low_dose`, the input); both are
reconstructed by filtered back-projection, so that they differ in dose and in nothing else, as in
the AAPM low-dose CT challenge. As on a real scanner, automatic exposure control sends more photons
through thicker patients: the dose is set by the photons that arrive. What is measured are the HU
of the patient; what is simulated are both scans of that patient.

Patients, split, grid and exposure are those of `ct_scans`. Training and validation show each slice
as it is, and moved crops of it in the made-up chest, which is what most tests show. `own.py` scans
the user's patients.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts, join, random_patches
from course_lib.data.volume import Volume
from course_lib.metrics import texture
from course_lib.physics import ct
from course_lib.tasks import ct_patients, ct_scans
from course_lib.tasks.base import PARTS, Field, Metric, Panel, Plan, Question, Splits

# Photons that arrive at the detector behind the thickest twentieth of a slice.
LOW_PHOTONS, NORMAL_PHOTONS = 400.0, 10_000.0
ELECTRONIC_NOISE = 5.0
TRAINING = "training"


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
    return scanned(dataset, SIZES[profile], seed, scan)


def scanned(dataset: str, size: Size, seed: int, scan: Callable[..., Cases]) -> Splits:
    """The same patients, slices and split for every question about them.

    Arguments:
        scan: (patient, slices, size, group, seed, chest, crops) → their Cases.
    """
    from course_lib.data.sets import chest_ct

    chest = chest_ct.load()
    training = ct_scans.training_slices(size.every)
    validation = ct_scans.spread(*ct_scans.VALIDATION_BLOCK, size.validation_slices)
    block = ct_scans.middle(*ct_scans.TEST_BLOCK, size.block_slices)
    tests = [scan(chest, block, size, ct_scans.SAME_PATIENT, (seed, "block"))]
    for patient, slices, crop in ct_patients.others(dataset, size.test_slices):
        part = (seed, patient.subject)
        tests.append(scan(patient, slices, size, ct_scans.OTHER_PATIENTS, part, crop))
    tests = tests[1:] + tests[:1]
    return Splits(
        train=scan(chest, training, size, TRAINING, (seed, TRAINING), crops=2),
        validation=scan(chest, validation, size, "validation", (seed, "validation"), crops=1),
        test=join(tests),
    )


def scan(
    volume: Volume,
    slices: list[int],
    size: Size,
    group: str,
    seed: tuple[int, str],
    chest: bool = True,
    crops: int = 0,
) -> Cases:
    """Both scans of some slices of one patient, as Cases; `chest`, `crops`: see `shown`."""
    generator = ct_scans.generator("denoising", *seed)
    pixel_mm = ct_scans.FIELD_MM / size.pixels
    truth, region, names = shown(volume, slices, size, generator, chest, crops)
    beam = ct.ParallelBeam(size.pixels, size.views, pixel_mm)
    clean = beam.forward(ct.hu_to_attenuation(truth))
    low, normal = (
        ct.low_dose_sinogram(clean, ct_scans.exposure(clean, arriving), ELECTRONIC_NOISE, generator)
        for arriving in (LOW_PHOTONS, NORMAL_PHOTONS)
    )
    count = len(truth)
    return Cases(
        tensors={
            "low_dose": ct.attenuation_to_hu(beam.fbp(low)),
            "normal_dose": ct.attenuation_to_hu(beam.fbp(normal)),
            "sinogram": low,
            "region": region,
        },
        case=names,
        subject=[volume.subject] * count,
        group=[group] * count,
        spacing_mm=torch.full((count, 2), pixel_mm),
        provenance={
            "low_dose": "simulated scan of measured HU",
            "normal_dose": "simulated scan of measured HU",
            "sinogram": "simulated from measured HU",
        },
        facts=Facts(dims=2, channels=1, range=ct_scans.HU_RANGE, pixel_mm=pixel_mm),
    )


def shown(
    volume: Volume,
    slices: list[int],
    size: Size,
    generator: torch.Generator,
    chest: bool,
    crops: int,
) -> tuple[Tensor, Tensor, list[str]]:
    """Slices as they are scanned (n, 1, H, W) HU, what of each is scored (n, 4), and their names.

    Arguments:
        chest: see `ct_scans.on_grid`.
        crops: how many times more each slice is shown, moved and cropped as in `ct_scans.moved`.
    """
    pixel_mm = ct_scans.FIELD_MM / size.pixels
    truth, region = ct_scans.on_grid(volume, slices, size.pixels, pixel_mm, chest)
    region = region.expand(len(slices), 4).contiguous()
    names = [f"{volume.case}/z{z:03d}" for z in slices]
    images, regions, cases = [truth], [region], list(names)
    for number in range(1, crops + 1):
        cropped, where = ct_scans.moved(truth, pixel_mm, True, generator)
        images.append(cropped)
        regions.append(where)
        cases += [f"{name}/crop{number}" for name in names]
    return torch.cat(images), torch.cat(regions), cases


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """Random patches of low and normal dose, turned and mirrored at random."""
    batch = random_patches(
        train, ("low_dose", "normal_dose"), count, SIZES[profile].patch, generator
    )
    return turned(batch, generator)


def turned(batch: Batch, generator: torch.Generator) -> Batch:
    """The patches of a batch (…, H, W), all by the same quarter turns and mirrored or not."""
    turns, mirror = torch.randint(4, (1,), generator=generator), torch.rand(1, generator=generator)
    for name, value in batch.items():
        value = torch.rot90(value, int(turns), (-2, -1))
        batch[name] = (value.flip(-1) if mirror < 0.5 else value).contiguous()
    return batch


def score(prediction: Tensor, batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """PSNR, SSIM, RMSE in two windows and the distance of noise textures, per case."""
    target, region = batch["normal_dose"], batch["region"]
    scores = ct_scans.scores(prediction, target, region)
    prediction, target = (x.clamp(*ct_scans.HU_RANGE) for x in (prediction, target))
    rois = flat_tissue(target, region)
    distance = texture.nps_distance(prediction, target, rois, facts.pixel_mm)
    return scores | {"nps_distance": distance}


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


def truth(batch: Batch, facts: Facts) -> Tensor:
    """The answer of who knows the truth."""
    return batch["normal_dose"]


def pictures(prediction: Tensor, batch: Batch, facts: Facts) -> dict[str, Panel]:
    """The scored region's middle: input, output, truth, and output minus truth."""
    return ct_scans.pictures(batch["low_dose"], prediction, batch["normal_dose"], batch["region"])


FIELDS = {
    "low_dose": Field("N 1 H W", "HU", "the slice reconstructed from few photons: the input"),
    "normal_dose": Field(
        "N 1 H W", "HU", "the same slice from many photons: the target", answer=True
    ),
    "sinogram": Field(
        "N 1 views detectors", "line integral", "the low-dose scan itself", where=PARTS
    ),
    "region": Field(
        "N 4", "pixels", "top, left, bottom, right of what is scored", PARTS, dtype="int64"
    ),
}

QUESTION = Question(
    id="low_dose",
    title="Denoising of low-dose CT",
    fields=FIELDS,
    facts={
        "dims": "2: slices",
        "channels": "1",
        "range": "HU that images are clipped to before they are scored",
        "pixel_mm": "side of a pixel in mm",
    },
    headline="psnr",
    metrics=ct_scans.METRICS
    | {
        "nps_distance": Metric(
            "dB", "lower", "Distance of noise power spectra in flat soft tissue; 0: same texture."
        ),
    },
    sources=ct_patients.SOURCES,
    plans={
        "smoke": Plan(steps=6, batch=4, evaluations=2),
        "class": Plan(steps=700, batch=6, seconds=60),
        "long": Plan(steps=10500, batch=6, evaluations=12, seconds=900),
        "full": Plan(steps=40_000, batch=32, evaluations=40),
    },
    make=make,
    sample=sample,
    score=score,
    pictures=pictures,
    truth=truth,
)
