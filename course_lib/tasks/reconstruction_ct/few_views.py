"""Reconstruction of CT from few views or a short arc (survey section 2.1.3).

Real CT slices are the truth. Physics scans each with photons that are counted, but from too few
directions: every second, fourth or eighth of 120 views, or all views of a 120-degree arc only. A
method gets the sinogram (and, for those that want it, its filtered back-projection) and returns the
image. What is measured are the HU of the patient; what is simulated is the scan.

The target is the real slice itself, not a reconstruction from a complete scan: its HU were measured
with far more views and photons than are simulated here, and a target made by FBP would reward
methods for repeating the errors of FBP.

That back-projection is windowed as is best on validation, for networks as for the baseline.

The scan is simulated on a grid twice as fine as the one it is reconstructed on: a detector element
adds the photons of two rays, and a target pixel is the mean of four. No image on the coarse grid
explains the data exactly, as no image explains those of a real scanner; methods that invert the
very matrix which made their data would look better than they are.

Patients, split, grid, exposure and the changed copies of training slices are those of `ct_scans`;
they are crops in the made-up chest, as most tests are. Validation shows each slice both ways.
`own.py` scans the user's patients.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts, join, random_index
from course_lib.data.volume import Volume
from course_lib.parts.hounsfield import relative_attenuation
from course_lib.parts.scanner import scanner
from course_lib.physics import ct
from course_lib.tasks import ct_patients, ct_scans
from course_lib.tasks.base import Field, Metric, Panel, Plan, Question, Splits

PHOTONS, ELECTRONIC_NOISE = 4000.0, 5.0  # arriving behind the thickest twentieth of a slice
VIEWS = 120  # of a complete scan; the steps of 1.5 degrees have no rounding error
ACQUISITIONS = {
    "30_views": slice(0, VIEWS, 4),
    "60_views": slice(0, VIEWS, 2),
    "15_views": slice(0, VIEWS, 8),
    "120_degrees": slice(0, 80),
}


@dataclass(frozen=True)
class Size:
    """Pixels along a side, copies of each training slice, and how many slices of each test
    patient, of the held-out block and of the validation block are used."""

    pixels: int
    copies: int
    test_slices: int
    block_slices: int
    validation_slices: int
    every: int = 1


SIZES = {
    "smoke": Size(64, 1, 1, 2, 1, every=12),
    "class": Size(128, 4, 3, 4, 4),
    "full": Size(256, 16, 20, 14, 8),
}


@lru_cache(maxsize=1)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """Scans the patients. The seed decides the noise and the training copies; slices and splits
    are fixed. The latest cases are kept, because a lesson asks for the same ones several times."""
    from course_lib.data.sets import chest_ct

    size, (patients, acquisition) = SIZES[profile], dataset.split("/")
    chest = chest_ct.load()
    how = (size, ACQUISITIONS[acquisition], seed)
    block = ct_scans.middle(*ct_scans.TEST_BLOCK, size.block_slices)
    tests = [scanned(chest, block, ct_scans.SAME_PATIENT, "block", *how)]
    for patient, slices, crop in ct_patients.others(patients, size.test_slices):
        name = patient.subject
        tests.append(scanned(patient, slices, ct_scans.OTHER_PATIENTS, name, *how, chest=crop))
    tests = tests[1:] + tests[:1]
    training = ct_scans.training_slices(size.every)
    validation = ct_scans.spread(*ct_scans.VALIDATION_BLOCK, size.validation_slices)
    return windowed(
        Splits(
            train=scanned(chest, training, "training", "training", *how, size.copies),
            validation=scanned(chest, validation, "validation", "validation", *how, copies=2),
            test=join(tests),
        )
    )


def windowed(splits: Splits) -> Splits:
    """The same with the field `fbp`, in the window that is best on validation: networks start from
    the picture that the baseline shows."""
    seen, best = splits.validation, "ram-lak"
    if len(seen):
        quality = {
            window: ct_scans.scores(_fbp(seen, window), seen["target"], seen["region"])["psnr"]
            for window in ct.WINDOWS
        }
        best = max(quality, key=lambda window: float(quality[window].mean()))
    train, validation, test = (
        replace(part, tensors=part.tensors | {"fbp": _fbp(part, best)})
        for part in (splits.train, seen, splits.test)
    )
    return replace(splits, train=train, validation=validation, test=test)


def _fbp(cases: Cases, window: str) -> Tensor:
    beam = scanner(cases.facts, cases.device).beam
    return ct.attenuation_to_hu(_by_parts(lambda part: beam.fbp(part, window), cases["sinogram"]))


def scanned(
    volume: Volume,
    slices: list[int],
    group: str,
    word: str,
    size: Size,
    views: slice,
    seed: int,
    copies: int = 1,
    chest: bool = True,
) -> Cases:
    """Some slices of one patient, and if `copies` > 1 changed copies of them, scanned; `chest`: see
    `ct_scans.on_grid`; copies are then crops in it."""
    generator = ct_scans.generator("reconstruction_ct", seed, word)
    fine, fine_mm = 2 * size.pixels, ct_scans.FIELD_MM / size.pixels / 2
    truth, region = ct_scans.on_grid(volume, slices, fine, fine_mm, chest)
    further, regions = [truth], [region.expand(len(slices), 4)]
    for _ in range(1, copies):
        copy, where = ct_scans.moved(truth, fine_mm, chest, generator)
        further.append(copy)
        regions.append(where)
    names = [f"{volume.case}/z{z:03d}" for z in slices]
    return _scan(
        torch.cat(further),
        torch.cat(regions),
        views,
        generator,
        case=names + [f"{name}/copy{k}" for k in range(1, copies) for name in names],
        subject=volume.subject,
        group=group,
    )


def _scan(
    fine: Tensor,
    region: Tensor,
    views: slice,
    generator: torch.Generator,
    case: list[str],
    subject: str,
    group: str,
) -> Cases:
    """The scan of slices (N, 1, 2 size, 2 size) HU, as Cases on the grid of half as many pixels."""
    count, pixels = len(fine), fine.shape[-1] // 2
    facts = facts_of(pixels, views)
    angles = ct.angles(VIEWS)[views]
    beam = ct.ParallelBeam(pixels, angles, facts.pixel_mm)
    rays = ct.ParallelBeam(2 * pixels, angles, facts.pixel_mm / 2, 2 * beam.detectors)
    clean = _by_parts(rays, ct.hu_to_attenuation(fine)).unflatten(-1, (-1, 2))
    clean = -torch.log(torch.exp(-clean).mean(-1))  # Photons add up, line integrals do not.
    sent = ct_scans.exposure(clean, PHOTONS)
    sinogram = ct.low_dose_sinogram(clean, sent, ELECTRONIC_NOISE, generator)
    # A pixel on the edge of the scored rectangle counts only if all of it lies inside.
    inside = torch.cat([(region[:, :2] + 1) // 2, region[:, 2:] // 2], dim=1)
    return Cases(
        tensors={
            "sinogram": sinogram,
            "target": F.avg_pool2d(fine, 2),
            "region": inside,
        },
        case=case,
        subject=[subject] * count,
        group=[group] * count,
        spacing_mm=torch.full((count, 2), facts.pixel_mm),
        provenance={
            "sinogram": "simulated scan of measured HU",
            "fbp": "reconstruction of a simulated scan",
            "target": "measured HU on a coarser grid; around the crops a made-up chest",
        },
        facts=facts,
    )


def facts_of(pixels: int, views: slice) -> Facts:
    """Those of a data set of images with `pixels` along a side, scanned from these views."""
    taken = range(VIEWS)[views]
    return Facts(
        dims=2,
        channels=1,
        range=ct_scans.HU_RANGE,
        size=pixels,
        pixel_mm=ct_scans.FIELD_MM / pixels,
        angles=tuple(ct.angles(VIEWS).tolist()),
        measured=tuple(view in taken for view in range(VIEWS)),
    )


def _by_parts(operator: Callable[[Tensor], Tensor], given: Tensor) -> Tensor:
    """The operator on a few slices at a time: all at once, projecting needs a gigabyte more."""
    return torch.cat([operator(part) for part in given.split(32)])


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """Whole training cases, drawn at random: a sinogram cannot be cut into patches."""
    return train.batch(random_index(train, count, generator))


def score(prediction: Tensor, batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """PSNR, SSIM, RMSE in two windows, and how far the image contradicts the sinogram."""
    scan = scanner(facts, prediction.device)
    data = scan.data(batch["sinogram"])
    projected = scan(relative_attenuation(prediction.clamp_min(-1000)))
    residual = (projected - data).flatten(1).norm(dim=1) / data.flatten(1).norm(dim=1)
    scores = ct_scans.scores(prediction, batch["target"], batch["region"])
    return scores | {"data_residual": 100 * residual}


def truth(batch: Batch, facts: Facts) -> Tensor:
    """The answer of who knows the truth."""
    return batch["target"]


def pictures(prediction: Tensor, batch: Batch, facts: Facts) -> dict[str, Panel]:
    """The scored region's middle: FBP, output, truth, and output minus truth."""
    return ct_scans.pictures(batch["fbp"], prediction, batch["target"], batch["region"])


FIELDS = {
    "sinogram": Field("N 1 views detectors", "line integral", "the measured views: the input"),
    "fbp": Field("N 1 size size", "HU", "what filtered back-projection makes of them, windowed"),
    "target": Field("N 1 size size", "HU", "the slice itself", answer=True),
    "region": Field("N 4", "pixels", "top, left, bottom, right of what is scored", dtype="int64"),
}

QUESTION = Question(
    id="few_views",
    title="Reconstruction of CT from few views",
    fields=FIELDS,
    facts={
        "dims": "2: slices",
        "channels": "1",
        "range": "HU that images are clipped to before they are scored",
        "size": "pixels along a side of an image",
        "pixel_mm": "side of a pixel in mm, and distance between detectors",
        "angles": "of all views of a complete scan, in degrees",
        "measured": "which of these views were taken",
    },
    headline="psnr",
    metrics=ct_scans.METRICS
    | {
        "data_residual": Metric(
            "%",
            "lower",
            "How far projections of the image differ from the measured ones, over the whole scan. "
            "The truth has one too: far below it, noise was fitted.",
        ),
    },
    sources={
        f"{name}/{acquisition}": sources
        for name, sources in ct_patients.SOURCES.items()
        for acquisition in ACQUISITIONS
    },
    plans={
        "smoke": Plan(steps=6, batch=2, evaluations=2),
        "class": Plan(steps=200, batch=2, seconds=60),
        "long": Plan(steps=3000, batch=2, evaluations=12, seconds=900),
        "full": Plan(steps=50_000, batch=8, evaluations=40),
    },
    make=make,
    sample=sample,
    score=score,
    pictures=pictures,
    truth=truth,
    kinds=("chest_ct/30_views", "chest_ct/120_degrees"),
)
