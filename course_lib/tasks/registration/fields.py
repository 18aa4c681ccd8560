"""Registration where the true field is known (survey section 3.1).

    brain_2d/known_fields    T1 slices of one donor, deformed twice
    brain_3d/known_fields    small volumes of one donor, deformed twice

Three donors train, one validates, two are tested on. What a method answers: see `pairs`.
"""

from functools import lru_cache
from typing import Any

from torch import Tensor

from course_lib.cases import Batch, Facts
from course_lib.metrics import registration as metrics
from course_lib.tasks.base import Field, Metric, Question, Splits
from course_lib.tasks.registration import brain_pairs, pairs


@lru_cache(maxsize=1)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """Draws the pairs. The latest are kept, because a lesson asks for the same ones often."""
    return drawn(3 if dataset == "brain_3d/known_fields" else 2, ("t1", "t1"), profile, seed)


def drawn(dims: int, contrasts: tuple[str, str], profile: str, seed: int) -> Splits:
    """Pairs with known fields; `contrasts` are those of the fixed and of the moving image."""
    return Splits(
        *(
            brain_pairs.known_fields(count, dims, size, contrasts, donors, **knobs)
            for count, size, donors, knobs in brain_pairs.parts(dims, profile, seed)
        )
    )


def score(prediction: Any, batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """The scores of pairs of brains, how far landmarks around the brain still lie apart, and the
    distance to the true field."""
    field, head = prediction["forward"], batch["fixed_label"] > 0
    error = metrics.endpoint_error_mm(field, batch["displacement"], facts.spacing_mm, head)
    rim = metrics.tre_mm(field, batch["fixed_rim"], batch["moving_rim"], facts.spacing_mm)
    inside = brain_pairs.score(prediction, batch, facts)
    return inside | {"tre_rim_mm": rim, "endpoint_error_mm": error}


QUESTION = Question(
    id="fields",
    title="Registration, true field known",
    fields=brain_pairs.FIELDS
    | {
        "fixed_rim": Field(
            "N 16 dims",
            "pixels",
            "landmarks around the fixed brain, nan if missing",
            answer=True,
        ),
        "moving_rim": Field(
            "N 16 dims", "pixels", "the same landmarks around the moving brain", answer=True
        ),
        "displacement": Field(
            "N dims *space", "pixels", "the true field u: moving(x + u(x)) = fixed(x)", answer=True
        ),
    },
    facts=pairs.FACTS,
    headline="tre_mm",
    metrics=brain_pairs.METRICS
    | {
        "tre_rim_mm": Metric(
            "mm", "lower", "The same of landmarks around the brain, on skull, muscle, fat and skin."
        ),
        "endpoint_error_mm": Metric(
            "mm", "lower", "Distance to the true field, mean over the head."
        ),
    },
    sources={
        "brain_2d/known_fields": brain_pairs.SOURCES,
        "brain_3d/known_fields": brain_pairs.SOURCES,
    },
    plans=pairs.PLANS,
    make=make,
    sample=pairs.sample,
    score=score,
    pictures=pairs.pictures,
    truth=pairs.truth,
    kinds=("brain_2d/known_fields", "brain_3d/known_fields"),
)
