"""CT from MR (survey section 2.2.2): of drawn heads, in HU, so that bone can be asked for."""

from functools import lru_cache

from torch import Tensor

from course_lib.cases import Batch, Facts
from course_lib.tasks.base import Question, Splits
from course_lib.tasks.translation import pairs
from course_lib.tasks.translation.heads import KINDS, heads


@lru_cache(maxsize=1)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """Draws heads as T1 and CT. The latest are kept, because a lesson asks for them often."""
    return heads(("t1", "ct"), dataset.partition("/")[2], profile, seed)


def score(prediction: Tensor, batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """Errors inside the head, structure, bone and its border, and the edges."""
    spacing_mm = facts.pixel_mm, facts.pixel_mm
    return pairs.score_images(prediction, batch, facts) | pairs.score_ct(
        prediction, batch, facts, spacing_mm
    )


QUESTION = Question(
    id="ct_from_mr",
    title="CT from MR",
    fields=pairs.FIELDS,
    facts=pairs.FACTS | {"pixel_mm": "side of a pixel in mm"},
    headline="psnr",
    metrics=pairs.METRICS,
    sources={f"mr_to_ct/{kind}": ("brain_donors", "brain_mni") for kind in KINDS},
    plans=pairs.PLANS,
    make=make,
    sample=pairs.sample,
    score=score,
    pictures=pairs.pictures,
    truth=pairs.truth,
)
