"""Exercises of the classification lesson: the area under the ROC curve, and a curriculum."""

import torch

from course_lib.lesson.exercise import Exercise, expect


def auc(scores, labels):
    """Share of (positive, negative) pairs in which the positive scores higher; a tie is half."""
    positive, negative = scores[labels == 1], scores[labels == 0]
    higher = (positive[:, None] > negative[None, :]).float()
    equal = (positive[:, None] == negative[None, :]).float()
    return (higher + 0.5 * equal).mean()


def check_auc(candidate):
    """Looks at cases whose answer can be counted on fingers, at ties, and at random scores."""
    known = (
        (
            [0.1, 0.4, 0.6, 0.9],
            [0, 0, 1, 1],
            1.0,
            "every positive scores higher than every negative",
        ),
        (
            [0.9, 0.6, 0.4, 0.1],
            [0, 0, 1, 1],
            0.0,
            "every positive scores lower than every negative",
        ),
        ([0.2, 0.7, 0.3, 0.8], [0, 0, 1, 1], 0.75, "three of four pairs are in order"),
        ([0.5, 0.5, 0.5, 0.5, 0.5], [0, 1, 0, 1, 1], 0.5, "all scores are equal, all pairs ties"),
        (
            [5.0, 5.0, 9.0, -2.0],
            [1, 0, 1, 0],
            0.875,
            "one of four pairs is a tie, which counts half",
        ),
        (
            [0.3, 0.1, 0.2, 0.05],
            [1, 0, 0, 0],
            1.0,
            "one positive scores higher than three negatives",
        ),
    )
    for scores, labels, wanted, why in known:
        given, truth = torch.tensor(scores), torch.tensor(labels)
        kept, kept_truth = given.clone(), truth.clone()
        value = _number(candidate(given, truth))
        expect(
            torch.equal(given, kept) and torch.equal(truth, kept_truth),
            "Your function changes its input. Make new tensors instead.",
        )
        expect(
            abs(value - wanted) < 1e-4,
            f"Scores {scores} with labels {labels}: {why}, so the AUC is {wanted:g}; yours is "
            f"{value:.3g}.",
        )
    generator = torch.Generator().manual_seed(0)
    for share in (0.5, 0.1):
        truth = (torch.rand(80, generator=generator) < share).long()
        given = (torch.randn(80, generator=generator) + truth).mul(4).round() / 4
        value, wanted = _number(candidate(given, truth)), float(auc(given, truth))
        expect(
            abs(value - wanted) < 1e-3,
            f"With {int(truth.sum())} positives among 80 cases the AUC should be {wanted:.3f}; "
            f"yours is {value:.3f}. It must not depend on how rare the positives are.",
        )


def easy_first(difficulty, done, start, full_at):
    """Numbers of the easiest cases, as many as the pace allows once `done` of the steps is past."""
    pace = start + (1 - start) * min(done / full_at, 1.0)
    count = max(1, round(pace * len(difficulty)))
    return difficulty.argsort()[:count]


def check_easy_first(candidate):
    """Counts what may be drawn at several times, and looks at which cases these are."""
    difficulty = torch.rand(40, generator=torch.Generator().manual_seed(1))
    kept = difficulty.clone()
    for start, full_at in ((0.25, 0.5), (0.5, 1.0)):
        for done in (0.0, 0.25, 0.5, 0.9):
            chosen = candidate(difficulty, done, start, full_at)
            expect(chosen is not None, "Your function returns nothing. Is the `return` missing?")
            try:
                chosen = torch.as_tensor(chosen)
            except (TypeError, ValueError, RuntimeError):
                expect(False, f"Case numbers were expected, not {type(chosen).__name__}.")
            expect(torch.equal(difficulty, kept), "Your function changes `difficulty` itself.")
            whole = not chosen.is_floating_point() and not chosen.is_complex()
            expect(
                whole and chosen.dtype != torch.bool and chosen.ndim == 1,
                "Return the numbers of the cases, a list or a one-dimensional tensor of integers.",
            )
            pace = start + (1 - start) * min(done / full_at, 1.0)
            wanted = round(pace * 40)
            expect(
                abs(len(chosen) - wanted) <= 1,
                f"start={start:g}, full_at={full_at:g}: once {done:.0%} of the steps are done, "
                f"{pace:.0%} of the 40 cases, {wanted}, may be drawn; yours are {len(chosen)}.",
            )
            expect(
                len(set(chosen.tolist())) == len(chosen),
                "A case number occurs twice: each case is in the pool or it is not.",
            )
            inside = bool(((chosen >= 0) & (chosen < 40)).all())
            expect(inside, "Case numbers run from 0 to len(difficulty) - 1.")
            easiest = difficulty.sort().values[: len(chosen)]
            expect(
                torch.allclose(difficulty[chosen].sort().values, easiest),
                "These are not the easiest cases: a small difficulty is easy.",
            )


def _number(value):
    expect(value is not None, "Your function returns nothing. Is the `return` missing?")
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        expect(False, f"One number was expected, not {type(value).__name__}.")


def _by_ranks(scores, labels):
    """A right answer by another road: the sum of the positives' ranks, ties sharing theirs."""
    below = (scores[:, None] > scores[None, :]).sum(1)
    equal = (scores[:, None] == scores[None, :]).sum(1)
    rank = below + (equal + 1) / 2
    count, rest = (labels == 1).sum(), (labels == 0).sum()
    return (rank[labels == 1].sum() - count * (count + 1) / 2) / (count * rest)


def _by_sweep(scores, labels):
    """Another: the area under the curve of recall over false alarms, by trapezia."""
    cuts = torch.cat([scores.unique(), torch.tensor([torch.inf])]).flip(0)
    found = torch.stack([(scores[labels == 1] >= cut).float().mean() for cut in cuts])
    alarm = torch.stack([(scores[labels == 0] >= cut).float().mean() for cut in cuts])
    return torch.trapezoid(found, alarm)


def _with_ties(share):
    def wrong(scores, labels):
        positive, negative = scores[labels == 1][:, None], scores[labels == 0][None, :]
        return ((positive > negative).float() + share * (positive == negative).float()).mean()

    return wrong


def _accuracy(scores, labels):
    return ((scores > 0.5).long() == labels).float().mean()


def _all_pairs(scores, labels):
    positive, negative = scores[labels == 1], scores[labels == 0]
    return (positive[:, None] > negative[None, :]).float().sum() / len(scores) ** 2


def _untied_ranks(scores, labels):
    rank = scores.argsort().argsort().float() + 1
    count, rest = (labels == 1).sum(), (labels == 0).sum()
    return (rank[labels == 1].sum() - count * (count + 1) / 2) / (count * rest)


def _neighbours(scores, labels):
    positive, negative = scores[labels == 1], scores[labels == 0]
    count = min(len(positive), len(negative))
    return (positive[:count] > negative[:count]).float().mean()


def _means(scores, labels):
    return scores[labels == 1].mean() - scores[labels == 0].mean()


def _as_list(difficulty, done, start, full_at):
    """A right answer by another road: python's sort, and a list."""
    order = sorted(range(len(difficulty)), key=difficulty.tolist().__getitem__)
    share = min(1.0, start + (1 - start) * done / full_at)
    return order[: int(share * len(order) + 0.5)]


def _mask(difficulty, done, start, full_at):
    share = start + (1 - start) * min(done / full_at, 1.0)
    return difficulty <= difficulty.quantile(share)


def _values(difficulty, done, start, full_at):
    return difficulty.sort().values[: len(easy_first(difficulty, done, start, full_at))]


def _random(difficulty, done, start, full_at):
    count = len(easy_first(difficulty, done, start, full_at))
    return torch.randperm(len(difficulty), generator=torch.Generator().manual_seed(3))[:count]


def _ranks(difficulty, done, start, full_at):
    count = len(easy_first(difficulty, done, start, full_at))
    return difficulty.argsort().argsort()[:count]


EXERCISES = (
    Exercise(
        id="classification.auc",
        title="The area under the ROC curve",
        hints=(
            "No threshold is needed. Take every pair of one positive and one negative case, and "
            "ask which of the two scores higher.",
            "scores[labels == 1] are the positives. With `[:, None]` and `[None, :]` torch "
            "compares each with each; the mean over all pairs is the answer. Ties count half.",
            "higher = (positive[:, None] > negative[None, :]).float(), equal the same with ==, "
            "then (higher + 0.5 * equal).mean().",
        ),
        checker=check_auc,
        answer=auc,
        right=(_by_ranks, _by_sweep),
        wrong=(
            (_accuracy, "is the accuracy at one half"),
            (_with_ties(0.0), "gives ties nothing"),
            (_with_ties(1.0), "counts ties as won"),
            (lambda s, t: 1 - auc(s, t), "asks whether the negative scores higher"),
            (_all_pairs, "divides by all pairs of cases"),
            (_untied_ranks, "breaks ties by the order of the cases"),
            (_neighbours, "compares only as many pairs as there are positives"),
            (_means, "takes the difference of the means"),
            (lambda s, t: s[t == 1].mean(), "takes the positives' mean score"),
        ),
    ),
    Exercise(
        id="classification.easy_first",
        title="Easy cases first",
        hints=(
            "Two questions: how many cases may be drawn by now, and which ones are the easiest?",
            "The pace grows in a straight line from `start` to 1, which it reaches at `full_at` "
            "and never exceeds: `min` is your friend. `argsort` gives case numbers, easiest first.",
            "pace = start + (1 - start) * min(done / full_at, 1.0); then the first "
            "round(pace * len(difficulty)) entries of difficulty.argsort().",
        ),
        checker=check_easy_first,
        answer=easy_first,
        right=(_as_list,),
        wrong=(
            (lambda d, t, s, f: easy_first(-d, t, s, f), "begins with the hard cases"),
            (lambda d, t, s, f: d.argsort(), "lets all cases in at once"),
            (lambda d, t, s, f: d.argsort()[: round(s * len(d))], "never grows"),
            (lambda d, t, s, f: easy_first(d, t, s, 1.0), "ignores when all are to be in"),
            (lambda d, t, s, f: easy_first(d, t, 0.0, f), "starts from nothing"),
            (_mask, "returns a mask instead of numbers"),
            (_values, "returns difficulties instead of numbers"),
            (_random, "draws cases at random"),
            (_ranks, "confuses the rank of a case with its number"),
        ),
    ),
)
