"""Registration of different people (survey section 3.1): nobody knows the true field.

Two donors are shown at one height. There are their label maps, and the centres of paired nuclei
serve as landmarks. Three donors train, two are tested on; the one that validates is paired with
those that train. What a method answers: see `pairs`.
"""

from collections.abc import Iterator
from functools import lru_cache

from course_lib.cases import Cases
from course_lib.tasks.base import Question, Splits
from course_lib.tasks.registration import brain_pairs, pairs


@lru_cache(maxsize=1)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """Draws the pairs. The latest are kept, because a lesson asks for the same ones often."""
    return Splits(*_drawn(profile, seed))


def _drawn(profile: str, seed: int) -> Iterator[Cases]:
    for count, size, donors, knobs in brain_pairs.parts(2, profile, seed):
        others = donors if len(donors) > 1 else brain_pairs.TRAIN
        couples = [(a, b) for a in donors for b in others if a != b]
        yield brain_pairs.between_donors(count, 2, size, ("t1", "t1"), couples, **knobs)


QUESTION = Question(
    id="donors",
    title="Registration of different people",
    fields=brain_pairs.FIELDS,
    facts=pairs.FACTS,
    headline="tre_mm",
    metrics=brain_pairs.METRICS,
    sources={"brain_2d/between_donors": brain_pairs.SOURCES},
    plans=pairs.PLANS,
    make=make,
    sample=pairs.sample,
    score=brain_pairs.score,
    pictures=pairs.pictures,
    truth=pairs.truth,
)
