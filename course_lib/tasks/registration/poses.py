"""Where a patient's CT stood when an X-ray picture was taken (survey section 3.1).

A method answers `pose` (N, 6): degrees about z, y, x and mm along them, see `physics.drr`. One CT
serves: the networks of the survey are trained for one object, so the test poses are reported as
those of the same patient.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts, random_index
from course_lib.parts.registration.pose import drr_of
from course_lib.physics import drr
from course_lib.tasks.base import Field, Metric, Panel, Question, Splits
from course_lib.tasks.registration import pairs, xrays

SAME_PATIENT = "same patient, new poses"
SUCCESS_MM = 1.0


@dataclass(frozen=True)
class Size:
    """The numbers of poses (training, validation, test), the detector, and the voxels (mm)."""

    counts: tuple[int, int, int]
    camera: drr.Camera
    voxel_mm: float


SIZES = {
    "smoke": Size((8, 2, 4), drr.Camera(24, 22.0, samples=32), 16.0),
    "class": Size((512, 8, 24), drr.Camera(36, 15.0, samples=40), 8.0),
    "full": Size((4000, 40, 200), drr.Camera(128, 4.0, samples=200), 2.5),
}


@lru_cache(maxsize=1)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """Takes the pictures. The latest are kept, because a lesson asks for the same ones often."""
    size = SIZES[profile]

    def part(number: int, name: str, group: str) -> Cases:
        generator = torch.Generator().manual_seed(10 * seed + number)
        count = size.counts[number]
        return xrays.poses(count, size.camera, size.voxel_mm, generator, group, name)

    return Splits(
        train=part(0, "training", "training"),
        validation=part(1, "validation", "validation"),
        test=part(2, "test", SAME_PATIENT),
    )


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """Random training cases."""
    return train.batch(random_index(train, count, generator))


def score(prediction: Any, batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """How far organs lie from where they should, in space and in the picture; turns and shifts."""
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


def truth(batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """The answer of who knows the truth."""
    return {"pose": batch["true_pose"]}


def pictures(prediction: Any, batch: Batch, facts: Facts) -> dict[str, Panel]:
    """The patient rendered at the first guess and at the answer, the X-ray, and the difference."""
    given, output = (
        drr_of(batch, pose, facts)[:, 0] for pose in (batch["start_pose"], prediction["pose"])
    )
    return pairs.panels(given, output, batch["xray"][:, 0], 6.0, "line integral")


FIELDS = {
    "xray": Field("N 1 H W", "line integral", "the picture, with counted photons"),
    "true_pose": Field("N 6", "degrees, mm", "where the patient stood: the answer", answer=True),
    "start_pose": Field("N 6", "degrees, mm", "a first guess"),
    "volume": Field("N 1 Z Y X", "1/mm", "the patient's attenuation, on coarser voxels"),
    "points": Field("N K 3", "mm", "centres of organs and bones from the volume's middle"),
}

QUESTION = Question(
    id="poses",
    title="Pose of a patient in an X-ray",
    fields=FIELDS,
    facts={
        "dims": "2: pictures",
        "channels": "1",
        "camera": "X-ray source and detector, a `physics.drr.Camera`",
        "voxel_mm": "sides of the volume's voxels in mm along z, y, x",
    },
    headline="tre_mm",
    metrics={
        "tre_mm": Metric(
            "mm", "lower", "Target registration error: how far organs still lie apart, in 3D."
        ),
        "projected_tre_mm": Metric(
            "mm", "lower", "The part of that error that lies in the picture's plane (mTREproj)."
        ),
        "success_percent": Metric(
            "%", "higher", f"Share of poses with a projected error below {SUCCESS_MM:g} mm."
        ),
        "rotation_degrees": Metric("°", "lower", "Angle between the found and the true rotation."),
        "translation_mm": Metric("mm", "lower", "Distance of the found shift from the true one."),
    },
    sources={"chest_drr/pose": ("chest_ct",)},
    plans=pairs.PLANS,
    make=make,
    sample=sample,
    score=score,
    pictures=pictures,
    truth=truth,
)
