"""Registration of a T2 image to a T1 image, true field known: brightness says little.

As `fields`, in slices. What helps to learn a similarity is there too: the fixed anatomy in the
moving image's contrast.
"""

from dataclasses import replace
from functools import lru_cache

from course_lib.tasks.base import Field, Splits
from course_lib.tasks.registration import brain_pairs, fields


@lru_cache(maxsize=1)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """Draws the pairs. The latest are kept, because a lesson asks for the same ones often."""
    return fields.drawn(2, ("t1", "t2"), profile, seed)


QUESTION = replace(
    fields.QUESTION,
    id="contrasts",
    title="Registration of two contrasts",
    fields={
        **fields.QUESTION.fields,
        "aligned": Field(
            "N 1 *space", "a.u.", "the fixed anatomy in the moving contrast", answer=True
        ),
    },
    sources={"brain_t1_t2/known_fields": brain_pairs.SOURCES},
    make=make,
    kinds=(),
)
