"""Translation of the user's own pairs: volumes in two contrasts, split by subject."""

from dataclasses import replace

import torch
from torch import Tensor

from course_lib.cases import PATH, Batch, Cases, Facts, join, parts
from course_lib.data import own
from course_lib.data.volume import Volume
from course_lib.errors import CourseError
from course_lib.tasks.base import Field, Question, Splits
from course_lib.tasks.translation import pairs
from course_lib.tasks.translation.measured_pairs import facts_of, slices, spread


def make(dataset: str, profile: str, seed: int) -> Splits:
    """Cuts the pairs that lie at `path:…` into slices."""
    return own_cases(own.read(dataset), profile, seed)


def own_cases(data: own.OwnData, profile: str, seed: int) -> Splits:
    """The user's pairs (`source/` and `target/` of equal names): slices, split by subject.

    Raises CourseError when a volume has no target.
    """
    data = own.expect(data, own.Scans, "translation")
    lonely = [v.subject for v in data.volumes if "target" not in v.labels]
    if lonely:
        raise CourseError(
            f"{lonely[0]} has no target. Put the volumes to start from into source/ and those to "
            "arrive at into target/, on the same grid and under the same names."
        )
    size, members = pairs.SIZES[profile], parts([v.subject for v in data.volumes])
    facts = facts_of([data.volumes[k] for k in members["train"]], "target")

    def cut(volume: Volume, count: int, group: str) -> Cases:
        edge = len(volume.image) // 5
        rows = spread(edge, len(volume.image) - edge, count)
        cases = slices(volume, "target", rows, size.pixels, group, facts)
        return replace(cases, tensors=cases.tensors | {"pixel_mm": cases.spacing_mm[:, 0].clone()})

    def part(name: str, count: int) -> Cases:
        found = [data.volumes[k] for k in members[name]]
        return join([cut(volume, max(1, count // len(found)), name) for volume in found])

    return Splits(
        train=part("train", size.training),
        validation=part("validation", size.validation),
        test=part("test", size.test),
    )


def score(prediction: Tensor, batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """As of drawn heads; what is asked of CT alone is undefined (nan) where targets are no CT."""
    found = pairs.score_images(prediction, batch, facts)
    if facts.hounsfield:
        spacing_mm = batch["pixel_mm"][:, None].expand(-1, 2)
        return found | pairs.score_ct(prediction, batch, facts, spacing_mm)
    undefined = torch.full_like(found["psnr"], torch.nan)
    return found | {name: undefined for name in pairs.METRICS if name not in found}


QUESTION = Question(
    id="own",
    title="Your own pairs",
    fields=pairs.FIELDS | {"pixel_mm": Field("N", "mm", "side of a pixel, of each volume")},
    facts=pairs.FACTS,
    headline="psnr",
    metrics=pairs.METRICS,
    sources={PATH: ()},
    plans=pairs.PLANS,
    make=make,
    sample=pairs.sample,
    score=score,
    pictures=pairs.pictures,
    truth=pairs.truth,
)
