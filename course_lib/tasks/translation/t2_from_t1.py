"""T2 from T1 (survey section 2.2.2): MR has no unit in which errors could be compared.

Heads are drawn as in `ct_from_mr`. `hippocampus_t1t2` holds measured pixels: T1 and T2 of one
average brain. It is a demonstration: trained on the left hemisphere, tested on the right one of the
same average.
"""

from dataclasses import replace
from functools import lru_cache

from course_lib.tasks.base import Question, Splits
from course_lib.tasks.translation import pairs
from course_lib.tasks.translation.heads import KINDS, heads
from course_lib.tasks.translation.measured_pairs import facts_of, pixel_mm, slices, spread

SAME_PATIENT = "same patient, other hemisphere"


@lru_cache(maxsize=1)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """Draws heads as T1 and T2, or cuts the measured pair into slices. The latest are kept."""
    if dataset == "hippocampus_t1t2":
        return _hippocampus(pairs.SIZES[profile])
    return heads(("t1", "t2"), dataset.partition("/")[2], profile, seed)


def _hippocampus(size: pairs.Size) -> Splits:
    """Slices of a measured T1/T2 pair: the left hemisphere trains; of the right one, the lower
    part validates and the rest, after a gap of 6 mm, is tested. One person, on average."""
    from course_lib.data.sets import hippocampus

    left, right = (replace(v, subject="CITI168") for v in hippocampus.load())
    facts = facts_of([left], "t2w") | {"pixel_mm": pixel_mm(left, size.pixels)}
    depth = len(left.image)
    first, gap = depth // 5, round(6 / left.spacing_mm[0])
    rows = {
        "training": (left, spread(0, depth, size.training)),
        "validation": (right, spread(0, first, size.validation)),
        SAME_PATIENT: (right, spread(first + gap, depth, size.test)),
    }
    return Splits(*(slices(v, "t2w", z, size.pixels, g, facts) for g, (v, z) in rows.items()))


QUESTION = Question(
    id="t2_from_t1",
    title="T2 from T1",
    fields=pairs.FIELDS,
    facts=pairs.FACTS | {"pixel_mm": "side of a pixel in mm"},
    headline="psnr",
    metrics={name: pairs.METRICS[name] for name in pairs.IN_ANY_UNIT},
    sources={f"t1_to_t2/{kind}": ("brain_donors", "brain_mni") for kind in KINDS}
    | {"hippocampus_t1t2": ("hippocampus_t1t2",)},
    plans=pairs.PLANS,
    make=make,
    sample=pairs.sample,
    score=pairs.score_images,
    pictures=pairs.pictures,
    truth=pairs.truth,
)
