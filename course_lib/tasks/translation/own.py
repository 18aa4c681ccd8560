"""Translation of the user's own pairs: volumes in two contrasts, split by subject."""

from dataclasses import replace

import torch
from torch import Tensor

from course_lib.cases import PATH, Batch, Cases, Facts, join
from course_lib.data import own
from course_lib.data.own.tables import listed
from course_lib.data.volume import Volume
from course_lib.errors import CourseError
from course_lib.tasks import own_use
from course_lib.tasks.base import Field, Question, Splits
from course_lib.tasks.translation import pairs
from course_lib.tasks.translation.measured_pairs import facts_of, slices, spread


def make(dataset: str, profile: str, seed: int) -> Splits:
    """Cuts the pairs that lie at `path:…` into slices."""
    return own_cases(own.read(dataset), profile, seed, own.parse(dataset)[1].skip)


def own_cases(data: own.OwnData, profile: str, seed: int, skip: bool = False) -> Splits:
    """The user's pairs (`source/` and `target/` of equal names): slices, in the given split or else
    split by subject.

    Raises CourseError that names the volumes without a target, unless they may be left out.
    """
    data = own.expect(data, own.Scans, "translation")
    known, told = data.heads, list(data.told())
    lonely = [head.case for head in known if "target" not in head.labels]
    if lonely and not (skip and len(lonely) < len(known)):
        raise CourseError(
            f"{listed(lonely)} in {data.source}: no target. Put the volumes to start from into "
            "source/ and those to arrive at into target/, on the same grid and under the same "
            "names; --skip leaves those without a target out."
        )
    if lonely:
        told.append(f"Left out: {listed(lonely)}: no target.")
        data = own_use.only(data, [k for k, head in enumerate(known) if head.case not in lonely])
    own_use.one_unit(data, data.heads)
    size = pairs.SIZES[profile]
    most = {"train": size.training, "validation": size.validation, "test": size.test}
    use = own_use.shares(data, most, most, "slices")
    facts = facts_of(use.volumes("train"), "target")

    def cut(volume: Volume, count: int, group: str) -> Cases:
        edge = len(volume.image) // 5
        rows = spread(edge, len(volume.image) - edge, count)
        cases = slices(volume, "target", rows, size.pixels, group, facts)
        return replace(cases, tensors=cases.tensors | {"pixel_mm": cases.spacing_mm[:, 0].clone()})

    found = {
        part: join([cut(volume, use.each[part], part) for volume in use.volumes(part)])
        for part in most
    }
    pixel_mm = float(found["train"].spacing_mm.median())
    said = own_use.pixels(data.heads, pixel_mm, f"a slice has {size.pixels} a side")
    return Splits(**found, notes=(*told, use.said, said))


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
