"""The frontier: what does the network look at (survey section 5)?

The map should lie on the nodule (`pointing`, `mass`), change when the network forgets what it
learnt (`sanity`), and mark what the answer hangs on (`deletion`, `insertion`). For the last three a
method also answers with `randomised`, the map of random weights, and, if it has a network, with the
probabilities of a nodule `deletion` and `insertion` (N, steps). Nodules, patients and lungs: see
`reading`.
"""

from functools import lru_cache

import torch
from torch import Tensor

from course_lib.cases import Batch, Facts
from course_lib.tasks.base import Metric, Question, Splits
from course_lib.tasks.frontier import reading


@lru_cache(maxsize=1)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """The pieces as they are; the seed decides nothing."""
    train, validation, test = reading.pieces(profile)
    return Splits(train, validation, reading.nodules_first(test))


def score(prediction: reading.Prediction, batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """Every case's share of each score."""
    return {
        "pointing": reading.pointing(prediction, batch),
        "mass": reading.mass(prediction, batch),
        "sanity": reading.sanity(prediction),
        "deletion": on_the_way(prediction, "deletion", batch),
        "insertion": on_the_way(prediction, "insertion", batch),
        "auc": reading.auc(prediction, batch),
    }


def on_the_way(prediction: reading.Prediction, name: str, batch: Batch) -> Tensor:
    """The mean probability of each nodule while pixels go or come; nan without a network."""
    if name not in prediction:
        return torch.full((len(batch["label"]),), torch.nan)
    return reading.on_nodules(prediction[name].mean(1), batch)


QUESTION = Question(
    id="explanations",
    title="What a network looks at when it finds lung nodules",
    fields=reading.FIELDS,
    facts=reading.FACTS,
    headline="pointing",
    metrics={
        "pointing": reading.METRICS["pointing"],
        "mass": reading.METRICS["mass"],
        "sanity": reading.METRICS["sanity"],
        "deletion": Metric(
            "", "lower", "Mean probability while the map's highest pixels are blurred away first."
        ),
        "insertion": Metric(
            "", "higher", "Mean probability while the map's highest pixels come back first."
        ),
        "auc": reading.METRICS["auc"],
    },
    sources={"explanations/nodules": reading.SOURCES},
    plans=reading.PLANS,
    make=make,
    sample=reading.sample,
    score=score,
    pictures=reading.pictures,
    truth=reading.truth,
    evidence=reading.evidence,
)
