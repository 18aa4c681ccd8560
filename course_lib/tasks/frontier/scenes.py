"""Lung with and without a nodule, as the frontier's questions need it: seen by other scanners,
beside a misleading marker, or with most outlines withheld."""

import zlib
from dataclasses import replace

import torch
from torch import Tensor

from course_lib.cases import Cases, join
from course_lib.physics.ct_site import LEVELS, SITES, Knobs, rescan, turned
from course_lib.tasks.frontier.presence import pairs

OTHER_SCANNERS, TRAINING_SCANNERS = "unseen scanners", "scanners of the training set"
NO_HINT, HINT = "marker tells nothing", "marker as in training"
HINT_RATE = 0.95
MARKER_HU, MARKER_PIXELS, MARKER_MARGIN = 300.0, 5, 2


def plain(part: str, count: int, question: int) -> Cases:
    """`presence.pairs` with the tensors that only some questions change, so that all have them:
    has_mask (N,) bool; marker, like the mask; scanner and condition (N,), the scanner's number and
    the set of cases among which ranks are counted; question (N,)."""
    cases = pairs(part, count)
    zero = torch.zeros(len(cases), dtype=torch.long)
    return _with(
        replace(cases, group=["training"] * len(cases)),
        has_mask=torch.ones(len(cases), dtype=torch.bool),
        marker=torch.zeros_like(cases["mask"]),
        scanner=zero,
        condition=zero,
        question=zero + question,
    )


def one_view(cases: Cases, group: str) -> Cases:
    """The cases without what only training needs."""
    kept = {name: v for name, v in cases.tensors.items() if not name.startswith("wide")}
    return replace(cases, tensors=kept, group=[group] * len(cases))


def nodules_first(cases: Cases) -> Cases:
    """The same cases, those with a nodule before those without."""
    return cases.subset(torch.argsort(-cases["label"], stable=True).tolist())


def _with(cases: Cases, **tensors: Tensor) -> Cases:
    return replace(cases, tensors=cases.tensors | tensors)


def _generator(word: str, seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(zlib.crc32(f"frontier/{word}/{seed}".encode()))


def scan(cases: Cases, knobs: Knobs, name: str, number: int = 0, seed: int = 0) -> Cases:
    """The same cases seen by a scanner with these knobs; its `name` ends the cases' names and,
    with the seed, decides the noise."""
    generator = _generator(f"scanner/{name}/{len(cases)}", seed)
    images = {
        key: rescan(cases[key], knobs, generator)
        for key in ("image", "wide")
        if key in cases.tensors
    }
    which = torch.full((len(cases),), number)
    return replace(
        _with(cases, **images, scanner=which, condition=which),
        case=[f"{case}/{name}" for case in cases.case],
    )


def shifted(
    train: Cases, validation: Cases, test: Cases, known: str, seed: int
) -> tuple[Cases, Cases, Cases]:
    """Each training and validation nodule is seen by one of the `known` scanners, each test nodule
    by all, the unseen first.

    Training cases also bring `unlabelled` (N, scanners, 1, 64, 64): a piece of lung of some other
    training case as each scanner shows it, without label. A hospital has such images before it
    uses a method; they are what adaptation may learn from.
    """

    def spread(cases: Cases) -> Cases:
        shares = [
            cases.subset([i for i in range(len(cases)) if (i // 2) % len(known) == k])
            for k in range(len(known))
        ]
        return join(
            [
                scan(own, SITES[s], f"scanner-{s}", 0, seed)
                for own, s in zip(shares, known, strict=True)
            ]
        )

    generator = _generator("unlabelled", seed)
    others = train["image"][torch.randperm(len(train), generator=generator)]
    unlabelled = torch.stack([rescan(others, knobs, generator) for knobs in SITES.values()], 1)
    tests = [
        replace(
            scan(test, SITES[s], f"scanner-{s}", k),
            group=[TRAINING_SCANNERS if s in known else OTHER_SCANNERS] * len(test),
        )
        for k, s in enumerate(SITES)
    ]
    tests.sort(key=lambda cases: cases.group[0] == TRAINING_SCANNERS)
    return _with(spread(train), unlabelled=unlabelled), spread(validation), join(tests)


def by_scanner(test: Cases) -> dict[str, Cases]:
    """Scanner → its cases, in the order A, B, C, D; every scanner's show the same patients."""
    numbers = test["scanner"].tolist()
    return {
        name: test.subset([i for i, number in enumerate(numbers) if number == k])
        for k, name in enumerate(SITES)
    }


def severities(test: Cases) -> dict[tuple[str, int], Cases]:
    """(knob, severity 1 to 3) → the cases of scanner A with this one knob turned."""
    here = by_scanner(test)["A"]
    return {
        (knob, level): scan(here, turned(knob, level), f"{knob}-{level}")
        for knob in LEVELS
        for level in (1, 2, 3)
    }


def marked(cases: Cases, rate: float, seed: int, group: str) -> Cases:
    """A bright square near a corner of `rate` of the images with a nodule, and of 1 − rate of
    those without. A rate of 0.5 tells nothing."""
    generator = _generator(f"marker/{group}/{rate}", seed)
    chance = torch.rand(len(cases), generator=generator)
    shown = torch.where(cases["label"] == 1, chance < rate, chance < 1 - rate)
    far = cases["image"].shape[-1] - 2 * MARKER_MARGIN - MARKER_PIXELS
    corner = MARKER_MARGIN + far * torch.randint(2, (len(cases), 2), generator=generator)
    marker = torch.zeros_like(cases["mask"])
    for k in torch.nonzero(shown).flatten().tolist():
        y, x = corner[k].tolist()
        marker[k, :, y : y + MARKER_PIXELS, x : x + MARKER_PIXELS] = True
    return replace(
        _with(cases, image=cases["image"].masked_fill(marker, MARKER_HU), marker=marker),
        case=[f"{case}/{group.replace(' ', '-')}" for case in cases.case],
        group=[group] * len(cases),
    )


def join_conditions(*parts: Cases) -> Cases:
    """Several versions of the same cases; ranks are counted within each."""
    numbered = (_with(part, condition=torch.full((len(part),), k)) for k, part in enumerate(parts))
    return join(list(numbered))


def few_masks(train: Cases, count: int, seed: int) -> Cases:
    """The outlines of `count` nodules, and of their lungs without them, are kept; of all other
    cases only the label is known, and their masks are empty."""
    known = torch.randperm(len(train) // 2, generator=_generator("masks", seed))[:count]
    keep = torch.zeros(len(train), dtype=torch.bool)
    keep[2 * known], keep[2 * known + 1] = True, True
    hidden = {k: train[k] & keep.view(-1, 1, 1, 1) for k in ("mask", "wide_mask")}
    return _with(train, has_mask=keep, **hidden)
