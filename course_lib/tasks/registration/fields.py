"""Registration: which point of one picture is which point of the other (survey section 3.1).

    brain_2d/known_fields       T1 slices of one donor, deformed twice: the true field is known
    brain_t1_t2/known_fields    the same with a T2 slice moving: brightness says little
    brain_2d/between_donors     two donors at one height: no true field, but labels and nuclei
    brain_3d/known_fields       small volumes of one donor, deformed twice
    chest_drr/pose              where a patient's CT stood when an X-ray picture was taken

A field method answers `forward` and `backward` (N, d, *spatial) in voxels: moving(x + u(x)) should
be fixed(x), and the other way round with the images' parts exchanged. Both are asked for because
there and back again should end where it began. A pose method answers `pose` (N, 6).

Three donors train, one validates, two are tested on. One CT serves for poses: the networks of the
survey are trained for one object, so its test poses are reported as those of the same patient.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, random_index
from course_lib.data import own
from course_lib.metrics import registration as metrics
from course_lib.metrics import segmentation
from course_lib.physics import drr, fields
from course_lib.tasks.base import Metric, Panel, Plan, Splits, Task
from course_lib.tasks.registration import brain_pairs, own_pairs, xrays

TRAIN = ("donor-9861", "donor-10021", "donor-12876")
VALIDATION, TEST = ("donor-14380",), ("donor-15496", "donor-15697")
SITE = "A"  # one scanner; noise and shading still differ from picture to picture
SAME_PATIENT = "same patient, new poses"
SUCCESS_MM = 5.0


@dataclass(frozen=True)
class Size:
    """Pixels along a side in 2D and 3D, the numbers of pairs or poses (training, validation, test)
    in 2D and 3D, and the detector and voxels (mm) of the X-ray task."""

    pixels: int
    pixels_3d: int
    counts: tuple[int, int, int]
    counts_3d: tuple[int, int, int]
    camera: drr.Camera
    voxel_mm: float


SIZES = {
    "smoke": Size(32, 16, (8, 2, 4), (2, 2, 2), drr.Camera(24, 22.0, samples=32), 16.0),
    "class": Size(64, 32, (512, 8, 24), (24, 2, 6), drr.Camera(36, 15.0, samples=40), 8.0),
    "full": Size(128, 64, (4000, 40, 200), (400, 8, 40), drr.Camera(128, 4.0, samples=200), 2.5),
}


@lru_cache(maxsize=2)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """Draws the pairs, or the poses. The latest cases are kept: a lesson asks for them often."""
    size = SIZES[profile]
    kind, _, truth = dataset.partition("/")
    if kind == "chest_drr":
        return _poses(size, seed)
    contrasts = ("t1", "t2") if kind == "brain_t1_t2" else ("t1", "t1")
    dims = 3 if kind == "brain_3d" else 2
    side = size.pixels_3d if dims == 3 else size.pixels
    counts = size.counts_3d if dims == 3 else size.counts

    def part(number: int, donors: tuple[str, ...], others: tuple[str, ...]) -> Cases:
        knobs = {"seed": 10 * seed + number, "site": SITE}
        count = counts[number]
        if truth == "known_fields":
            return brain_pairs.known_fields(count, dims, side, contrasts, donors, **knobs)
        couples = [(a, b) for a in donors for b in others if a != b]
        return brain_pairs.between_donors(count, dims, side, contrasts, couples, **knobs)

    return Splits(
        train=part(0, TRAIN, TRAIN),
        validation=part(1, VALIDATION, TRAIN),  # one donor alone makes no couple
        test=part(2, TEST, TEST),
    )


def _poses(size: Size, seed: int) -> Splits:
    def part(count: int, name: str, group: str, number: int) -> Cases:
        generator = torch.Generator().manual_seed(10 * seed + number)
        return xrays.poses(count, size.camera, size.voxel_mm, generator, group, name)

    train, validation, test = size.counts
    return Splits(
        train=part(train, "training", "training", 0),
        validation=part(validation, "validation", "validation", 1),
        test=part(test, "test", SAME_PATIENT, 2),
    )


def own_cases(data: own.OwnData, profile: str, seed: int) -> Splits:
    """Pairs of the user's own pictures (`Pictures`) or volumes (`Scans`): see `own_pairs`."""
    size = SIZES[profile]
    parts = own_pairs.own_pairs(data, size.pixels, size.pixels_3d, size.counts[0])
    return Splits(parts["train"], parts["validation"], parts["test"])


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """Random training cases, each with its `number` among them."""
    index = random_index(train, count, generator)
    return train.batch(index) | {"number": index}


def score(prediction: Any, batch: Batch) -> dict[str, Tensor]:
    """The metrics that fit the question: of a pose, of a field, of a field whose truth is known."""
    if "xray" in batch:
        return _pose_scores(prediction, batch)
    scores = _field_scores(prediction, batch)
    if "displacement" in batch:
        field, truth, head = prediction["forward"], batch["displacement"], batch["fixed_label"] > 0
        error = metrics.endpoint_error_mm(field, truth, batch["spacing_mm"], head)
        scores["endpoint_error_mm"] = error
    return scores


def _field_scores(prediction: Any, batch: Batch) -> dict[str, Tensor]:
    field, spacing = prediction["forward"], batch["spacing_mm"]
    inside = batch["fixed_label"] > 0 if "fixed_label" in batch else None
    back = metrics.inverse_consistency_mm(field, prediction["backward"], spacing, inside)
    scores = {
        "folding_percent": metrics.folding_percent(field),
        "inverse_consistency_mm": back,
        "dissimilarity": 1 - _correlation(_warped(field, batch), batch["fixed"]),
    }
    if "fixed_label" in batch:
        scores["dice"] = _dice(field, batch)
    if "fixed_points" in batch:
        points = batch["fixed_points"], batch["moving_points"]
        scores["tre_mm"] = metrics.tre_mm(field, *points, spacing)
    return scores


def _dice(field: Tensor, batch: Batch) -> Tensor:
    """Mean Dice over the structures that either image shows; nan where there are none."""
    warped = fields.warp(batch["moving_label"].float(), field, mode="nearest")
    numbers = batch["structures"][0].tolist()
    ours, theirs, before = (
        segmentation.one_hot(image[:, 0].round().long(), numbers)
        for image in (warped, batch["fixed_label"], batch["moving_label"])
    )
    there = (theirs | before).flatten(2).any(2)
    return torch.nanmean(segmentation.dice(ours, theirs).masked_fill(~there, torch.nan), 1)


def _correlation(one: Tensor, other: Tensor) -> Tensor:
    one, other = (x.flatten(1) - x.flatten(1).mean(1, keepdim=True) for x in (one, other))
    return (one * other).sum(1) / (one.norm(dim=1) * other.norm(dim=1)).clamp_min(1e-12)


def _warped(field: Tensor, batch: Batch) -> Tensor:
    return fields.warp(batch["moving"], field)


def _pose_scores(prediction: Any, batch: Batch) -> dict[str, Tensor]:
    found, truth, points = prediction["pose"], batch["true_pose"], batch["points"]
    away = drr.place(points, found) - drr.place(points, truth)
    flat = away[..., [0, 2]].norm(dim=-1).mean(1)
    turn = drr.rotation(found) @ drr.rotation(truth).mT
    cosine = (turn.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2
    return {
        "tre_mm": away.norm(dim=-1).mean(1),
        "projected_tre_mm": flat,
        "success_percent": 100.0 * (flat < SUCCESS_MM).float(),
        "rotation_degrees": torch.rad2deg(cosine.clamp(-1, 1).acos()),
        "translation_mm": (found[:, 3:] - truth[:, 3:]).norm(dim=1),
    }


def pictures(prediction: Any, batch: Batch) -> dict[str, Panel]:
    """Fixed and moving, the warped image, and what is still wrong. In 3D the middle slice."""
    if "xray" in batch:
        from course_lib.parts.registration.pose import camera_of, drr_of

        camera = camera_of(batch)
        given, output = (
            drr_of(batch, pose, camera)[:, 0] for pose in (batch["start_pose"], prediction["pose"])
        )
        truth, window, unit = batch["xray"][:, 0], (0.0, 6.0), "line integral"
    else:
        given, output, truth = (
            image[:, 0] if image.ndim == 4 else image[:, 0, image.shape[2] // 2]
            for image in (
                batch["moving"],
                _warped(prediction["forward"], batch),
                batch["fixed"],
            )
        )
        window, unit = (0.0, 1.2), "a.u."
    error = (-(window[1]) / 3, window[1] / 3)
    return {
        "input": Panel(given, "grey", window, unit, shared=True),
        "output": Panel(output, "grey", window, unit, shared=False),
        "truth": Panel(truth, "grey", window, unit, shared=True),
        "error": Panel(output - truth, "signed", error, unit, shared=False),
    }


METRICS = {
    "tre_mm": Metric(
        "mm",
        "lower",
        "Target registration error: how far landmarks still lie apart. Of poses: of organs in 3D.",
    ),
    "dice": Metric("", "higher", "Overlap of the structures, mean over those in the picture."),
    "endpoint_error_mm": Metric(
        "mm", "lower", "Distance to the true field, mean over the head; only where it is known."
    ),
    "folding_percent": Metric(
        "%", "lower", "Share of voxels where the field turns tissue inside out."
    ),
    "inverse_consistency_mm": Metric(
        "mm", "lower", "Forward, then backward: how far from where it began."
    ),
    "dissimilarity": Metric(
        "", "lower", "1 - correlation of the warped and the fixed image. Low does not mean right."
    ),
    "projected_tre_mm": Metric(
        "mm", "lower", "The part of a pose's error that lies in the picture's plane (mTREproj)."
    ),
    "success_percent": Metric(
        "%", "higher", f"Share of poses with a projected error below {SUCCESS_MM:g} mm."
    ),
    "rotation_degrees": Metric("°", "lower", "Angle between the found and the true rotation."),
    "translation_mm": Metric("mm", "lower", "Distance of the found shift from the true one."),
}

IMAGES = ("dissimilarity", "folding_percent", "inverse_consistency_mm")
LABELS = ("dice", *IMAGES)
BETWEEN = ("tre_mm", *LABELS)
FIELDS = (*BETWEEN, "endpoint_error_mm")
POSES = ("tre_mm", "projected_tre_mm", "success_percent", "rotation_degrees", "translation_mm")

BRAINS = ("brain_donors", "brain_mni")
TASK = Task(
    id="registration",
    title="Registration",
    survey="3.1",
    headline="tre_mm",
    metrics=METRICS,
    sources={
        "brain_2d/known_fields": BRAINS,
        "brain_2d/between_donors": BRAINS,
        "brain_t1_t2/known_fields": BRAINS,
        "brain_3d/known_fields": BRAINS,
        "chest_drr/pose": ("chest_ct",),
    },
    plans={
        "smoke": Plan(steps=4, batch=2, evaluations=1),
        "class": Plan(steps=700, batch=8),
        "full": Plan(steps=40_000, batch=8, evaluations=40),
    },
    make=make,
    sample=sample,
    score=score,
    pictures=pictures,
    asks={
        "brain_2d/between_donors": BETWEEN,
        "brain_2d": FIELDS,
        "brain_t1_t2": FIELDS,
        "brain_3d": FIELDS,
        "chest_drr": POSES,
        "path:": ("dissimilarity", "dice", "folding_percent", "inverse_consistency_mm"),
    },
    own=own_cases,
    lesson="03_registration/01_supervised_and_similarity",
)
