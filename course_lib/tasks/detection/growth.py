"""Growth of nodules (survey section 4.2): seen at three to six visits, does a nodule grow fast?

Neither sizes nor dates alone tell much; size over lag does (in `series/regular`, where all lags are
equal, sizes do). What is measured: the lung and the outline. What is simulated: the nodule's CT
numbers, where it lies, its growth and the dates. Patients and parts are those of `patients`.
"""

from functools import lru_cache, partial

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts, random_index
from course_lib.metrics.classification import auc_per_case, brier
from course_lib.tasks.base import Field, Metric, Panel, Plan, Question, Splits
from course_lib.tasks.detection import patients
from course_lib.tasks.detection.patients import LIDC, Site, Size, share

REGULAR_DAYS = 180.0
SIZES = {
    "smoke": Size(12, 4, 4, 2),
    "class": Size(480, 64, 48, 40),
    "full": Size(16_000, 800, 400, 400),
}


@lru_cache(maxsize=1)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """Lets nodules grow in the lungs. The latest cases are kept, because a lesson asks for the
    same ones several times."""
    lag = REGULAR_DAYS if dataset == "series/regular" else None
    return patients.splits(partial(cases, lag=lag), SIZES[profile], seed, others=True)


def cases(site: Site, lag: float | None) -> Cases:
    """Series in one patient's lung; `lag`: days between visits, None for irregular ones.

    The subject is the patient of the nodule. There are fewer patients than series (82 for 160 in
    other lungs, class, seed 0), as nodules are drawn again once all have been: each time for
    another place and course.
    """
    from course_lib.data.lesions.series import nodule_series

    found = nodule_series(
        (site.ground,), (site.rows,), site.drawer, site.count, site.generator, lag
    )
    del found["ground"]
    return Cases(
        tensors=found | {"part": site.part, "reported": reported(found["growth"], found["visits"])},
        case=[f"{site.place}/{k:04d}" for k in range(site.count)],
        subject=[f"LIDC-IDRI-{number:04d}" for number in found["nodules"].tolist()],
        group=[site.group] * site.count,
        spacing_mm=torch.ones(site.count, 2),
        provenance={
            "series": "measured lung and outline; growth and density simulated",
            "days": "simulated",
            "growth": "simulated",
        },
        facts=Facts(dims=2, channels=1, window=patients.WINDOW),
    )


def reported(growth: Tensor, visits: Tensor) -> Tensor:
    """What the report of the visit before said, (N, T); -1 where there was none."""
    before = F.pad(growth[:, :-1], (1, 0), value=-1.0)
    later = torch.arange(growth.shape[1]) >= visits[:, None]
    return before.masked_fill(later, -1.0)


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """Whole series, drawn at random."""
    return train.batch(random_index(train, count, generator))


def score(prediction: dict[str, Tensor], batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """AUC and Brier score of the answer before the last visit; each group of test patients is a
    set of its own."""
    probabilities, label = evidence(prediction, batch, facts).values()

    def judged(chosen: list[int]) -> dict[str, Tensor]:
        ours, theirs = probabilities[chosen], label[chosen]
        return {"auc": 100 * auc_per_case(ours, theirs), "brier": brier(ours, theirs)}

    return patients.in_groups(batch["part"], judged)


def truth(batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """The answer of who knows the truth."""
    return {"fast": batch["growth"].clamp_min(0)}


def evidence(prediction: dict[str, Tensor], batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """The probabilities before the last visit, and what was true."""
    last = (batch["visits"] - 1)[:, None]
    fast = prediction["fast"].gather(1, last)[:, 0]
    label = batch["growth"].gather(1, last)[:, 0].long()
    return {"answer": torch.stack([1 - fast, fast], 1), "label": label}


def pictures(prediction: dict[str, Tensor], batch: Batch, facts: Facts) -> dict[str, Panel]:
    """All visits side by side. In `output` and `truth` a bar under each: as long as the
    probability of fast growth."""
    black, white = facts.window
    series = batch["series"][:, :, 0].clone()
    count, visits, height, width = series.shape
    later = torch.arange(visits, device=series.device) >= batch["visits"][:, None]
    series[later] = black
    strip = series.permute(0, 2, 1, 3).reshape(count, height, visits * width)
    place = torch.arange(visits * width, device=series.device) % width

    def barred(values: Tensor, shared: bool) -> Panel:
        long = (values.clamp_min(0) * ~later).repeat_interleave(width, 1) * width
        bar = torch.where(place < long, white, black)
        image = torch.cat([strip, bar[:, None].expand(-1, 6, -1)], 1)
        return Panel(image, "grey", facts.window, "HU", shared)

    known = batch["growth"] >= 0
    return {
        "input": barred(torch.zeros_like(batch["growth"]), True),
        "output": barred(prediction["fast"] * known, False),
        "truth": barred(batch["growth"], True),
    }


FIELDS = {
    "series": Field(
        "N visits channels H W", "HU", "32 mm around the nodule at each visit; 0 after the last"
    ),
    "days": Field("N visits", "days", "since the first visit; 0 after the last"),
    "growth": Field(
        "N visits",
        "class",
        "in the interval before: 1 fast, 0 slow, -1 unknown or after the last",
        answer=True,
    ),
    "reported": Field(
        "N visits", "class", "`growth` of the visit before, as its report says; -1: none"
    ),
    "visits": Field("N", "number", "how many visits there are", dtype="int64"),
    "nodules": Field("N", "number", "LIDC patient of the nodule", dtype="int64"),
    "part": Field("N", "group", "1: other patients, 0: the same patient", dtype="int64"),
}

QUESTION = Question(
    id="growth",
    title="Fast or slow growth in series of visits",
    fields=FIELDS,
    facts={
        "dims": "2: slices",
        "channels": "of an image",
        "window": "HU that are shown black and white; beyond them networks see no difference",
    },
    headline="auc",
    metrics={
        "auc": share(
            "Area under the ROC curve for fast growth before the last visit; chance is 50.", "auc"
        ),
        "brier": Metric("", "lower", "Brier score of the last visit's probabilities, 0 to 2."),
    },
    sources={
        "series/irregular": (*LIDC, "lung_tumours"),
        "series/regular": (*LIDC, "lung_tumours"),
    },
    plans={
        "smoke": Plan(steps=3, batch=8, evaluations=1),
        "class": Plan(steps=250, batch=32, evaluations=4, seconds=60),
        "long": Plan(steps=3750, batch=32, evaluations=12, seconds=900),
        "full": Plan(steps=30_000, batch=64, evaluations=30),
    },
    make=make,
    sample=sample,
    score=score,
    pictures=pictures,
    truth=truth,
    evidence=evidence,
)
