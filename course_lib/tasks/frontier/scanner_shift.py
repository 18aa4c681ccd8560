"""The frontier: does it still work on other scanners (survey section 5)?

`one_scanner`: trained on scanner A alone. `without_D`: trained on A, B and C. `random_split`: on
all, which hides the shift. The same test patients are seen by every scanner (`physics.ct_site`), so
that only the scanner can be the reason of a fall. Nodules, patients and lungs: see `reading`.
"""

from dataclasses import replace
from functools import lru_cache, partial

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts, join
from course_lib.metrics import classification
from course_lib.physics.ct_site import LEVELS, SITES, Knobs, rescan, turned
from course_lib.tasks.base import Field, Metric, Question, Splits
from course_lib.tasks.frontier import reading

TRAINED_ON = {"one_scanner": "A", "without_D": "ABC", "random_split": "ABCD"}
OTHER_SCANNERS, TRAINING_SCANNERS = "unseen scanners", "scanners of the training set"


@lru_cache(maxsize=2)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """Scans the pieces. The seed decides the noise of training and validation scans and which
    images come unlabelled; the nodules and the test are fixed."""
    train, validation, test = (
        replace(cases, facts=cases.facts | {"scanners": tuple(SITES)})
        for cases in reading.pieces(profile)
    )
    known = TRAINED_ON[dataset.split("/")[1]]
    seen = reading.extended(shared_out(train, known, seed), unlabelled=unlabelled(train, seed))
    return Splits(seen, shared_out(validation, known, seed), by_all(test, known))


def scan(cases: Cases, knobs: Knobs, name: str, number: int = 0, seed: int = 0) -> Cases:
    """The same cases seen by a scanner with these knobs; its `name` ends the cases' names and,
    with the seed, decides the noise."""
    generator = reading.generator(f"scanner/{name}/{len(cases)}", seed)
    images = {
        key: rescan(cases[key], knobs, generator)
        for key in ("image", "wide")
        if key in cases.tensors
    }
    return replace(
        reading.extended(cases, **images, scanner=torch.full((len(cases),), number)),
        case=[f"{case}/{name}" for case in cases.case],
    )


def shared_out(cases: Cases, known: str, seed: int) -> Cases:
    """Each nodule, and its place without it, seen by one of the known scanners, in turn."""
    shares = [
        cases.subset([i for i in range(len(cases)) if (i // 2) % len(known) == k])
        for k in range(len(known))
    ]
    return join(
        [scan(own, SITES[s], f"scanner-{s}", 0, seed) for own, s in zip(shares, known, strict=True)]
    )


def unlabelled(train: Cases, seed: int) -> Tensor:
    """For each case a piece of lung of some other training case as every scanner shows it,
    (N, scanners, 1, 64, 64). A hospital has such images before it uses a method; they are what
    adaptation may learn from."""
    generator = reading.generator("unlabelled", seed)
    others = train["image"][torch.randperm(len(train), generator=generator)]
    return torch.stack([rescan(others, knobs, generator) for knobs in SITES.values()], 1)


def by_all(test: Cases, known: str) -> Cases:
    """Each nodule seen by all scanners, the unknown ones first."""
    tests = [
        replace(
            scan(test, SITES[s], f"scanner-{s}", k),
            group=[TRAINING_SCANNERS if s in known else OTHER_SCANNERS] * len(test),
        )
        for k, s in enumerate(SITES)
    ]
    return join(sorted(tests, key=lambda cases: cases.group[0] == TRAINING_SCANNERS))


def by_scanner(test: Cases) -> dict[str, Cases]:
    """Scanner → its cases, in the order A, B, C, D; every scanner's show the same patients."""
    numbers = test["scanner"].tolist()
    return {
        name: test.subset([i for i, number in enumerate(numbers) if number == k])
        for k, name in enumerate(test.facts.scanners)
    }


def severities(test: Cases) -> dict[tuple[str, int], Cases]:
    """(knob, severity 1 to 3) → the cases of scanner A with this one knob turned."""
    here = by_scanner(test)["A"]
    return {
        (knob, level): scan(here, turned(knob, level), f"{knob}-{level}")
        for knob in LEVELS
        for level in (1, 2, 3)
    }


def score(prediction: reading.Prediction, batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """Every case's share of each score; ranks and calibration are among cases of one scanner."""
    answers = prediction["probability"], batch["label"]
    calibration = partial(classification.calibration_per_case, bins=10)
    return {
        "auc": reading.among(batch["scanner"], classification.auc_per_case, *answers),
        "ece": reading.among(batch["scanner"], calibration, *answers),
        "brier": classification.brier(*(x.cpu() for x in answers)),
        "dice": reading.dice(prediction, batch),
        "pointing": reading.pointing(prediction, batch),
    }


QUESTION = Question(
    id="scanner_shift",
    title="Lung nodules on other scanners",
    fields=reading.FIELDS
    | {
        "scanner": Field(
            "N",
            "number",
            "in the test, which of the scanners; 0 elsewhere, for the training set's together",
            dtype="int64",
        ),
        "unlabelled": Field(
            "N scanners 1 H W",
            "HU",
            "another training case as each scanner shows it, without label",
            where=("train", "batch"),
        ),
    },
    facts=reading.FACTS | {"scanners": "names of the scanners, in the order of their numbers"},
    headline="auc",
    metrics={
        "auc": replace(
            reading.METRICS["auc"],
            text="How often an image with a nodule gets a higher probability than one without "
            "from the same scanner. Chance is 0.5.",
        ),
        "ece": Metric(
            "",
            "lower",
            "Expected calibration error: certainty against share of hits.",
            of_set="ece 10",
        ),
        "brier": Metric("", "lower", "Squared error of the probabilities, 0 to 2."),
        "dice": reading.METRICS["dice"],
        "pointing": reading.METRICS["pointing"],
    },
    sources={f"scanner_shift/{kind}": reading.SOURCES for kind in TRAINED_ON},
    plans=reading.PLANS,
    make=make,
    sample=reading.sample,
    score=score,
    pictures=reading.pictures,
    truth=reading.truth,
    evidence=reading.evidence,
)
