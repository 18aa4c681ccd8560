"""How well classes are told apart, and whether the probabilities mean what they say.

`probabilities` are (N, C), rows summing to one; `labels` are (N,) whole numbers. `correct` and
`brier` give one value per case; the others judge a whole set at once, because ranks and recalls
exist only there. Each of those also comes as `…_per_case`: shares (N,) whose mean is the set's
value, so that a table of cases can be kept, and resampled, by subject.

A class without a case has no recall and no curve: NaN for it, and it is left out of averages. A
NaN probability gives NaN.
"""

import torch
from torch import Tensor

from course_lib.errors import CourseError


def correct(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Hit or miss per case (`accuracy`, no unit, higher is better, ideal 1), (N,)."""
    _check(probabilities, labels)
    broken = probabilities.isnan().any(1)
    return (probabilities.argmax(1) == labels).float().masked_fill(broken, torch.nan)


def brier(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Brier score per case (`brier`, no unit, 0 to 2, lower is better, ideal 0), (N,).

    Σ_c (p_c − [c is true])²; a proper score: only the true probabilities minimise its mean.
    Source: Brier 1950, doi 10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
    """
    _check(probabilities, labels)
    truth = torch.nn.functional.one_hot(labels.long(), probabilities.shape[1])
    return (probabilities - truth).square().sum(1)


def auc(scores: Tensor, labels: Tensor) -> Tensor:
    """Area under the ROC curve (`auc`, no unit, higher is better, ideal 1, chance 0.5).

    The probability that a random positive scores higher than a random negative, ties counting
    half: (Σ ranks of positives − n₊(n₊+1)/2) / (n₊·n₋).

    Arguments:
        scores: (N,) for labels 0 and 1, any monotone score; or (N, C) for C classes: then the mean
            over present classes of one against the rest, every class weighing the same.
        labels: (N,).

    Returns a scalar; NaN when only one class is present.

    Source: Hanley & McNeil 1982, doi 10.1148/radiology.143.1.7063747.
    """
    if scores.ndim == 2:
        _check(scores, labels)
        each = [auc(column, (labels == c).long()) for c, column in enumerate(scores.unbind(1))]
        return torch.stack(each).nanmean() if not scores.isnan().any() else scores.sum()
    positive = labels.cpu() == 1
    if scores.shape != labels.shape or not (positive | (labels.cpu() == 0)).all():
        raise CourseError("A single score per case needs labels of 0 and 1, one for each score.")
    if scores.isnan().any():
        return scores.sum()
    # Ties share their mean rank.
    _, group, size = scores.cpu().double().unique(return_inverse=True, return_counts=True)
    rank = (size.cumsum(0) - (size - 1) / 2)[group]
    count = positive.sum()
    wins = rank[positive].sum() - count * (count + 1) / 2
    return (wins / (count * (~positive).sum())).to(scores.dtype)


def recall_per_class(predicted: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Recall of every class (`recall`, no unit, higher is better, ideal 1), (C,).

    The share of each class's cases that was found: what accuracy hides when classes are rare.

    Arguments:
        predicted, labels: (N,) whole numbers in [0, classes).
        classes: C.
    """
    if predicted.shape != labels.shape or labels.ndim != 1:
        raise CourseError(
            f"Predicted classes {tuple(predicted.shape)} and labels {tuple(labels.shape)} must "
            "both be (N,): pass probabilities.argmax(1)."
        )
    hit = torch.bincount(labels[predicted == labels], minlength=classes)
    return hit / torch.bincount(labels, minlength=classes)


def balanced_accuracy(predicted: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Balanced accuracy (`balanced_accuracy`, no unit, higher is better, ideal 1).

    The mean of `recall_per_class` over the classes present: chance is 1/C however rare a class is.
    """
    return recall_per_class(predicted, labels, classes).nanmean()


def calibration_error(probabilities: Tensor, labels: Tensor, bins: int = 15) -> Tensor:
    """Expected calibration error (`ece`, no unit, lower is better, ideal 0).

    Σ_b (n_b / N)·|accuracy_b − confidence_b| over equal bins of the highest probability: of the
    cases called with 80% certainty, are 80% right? Biased upwards when bins hold few cases.

    Arguments:
        probabilities: (N, C).
        labels: (N,).
        bins: equal bins (low, high] of [0, 1].

    Source: Guo et al. 2017, https://proceedings.mlr.press/v70/guo17a.html.
    """
    hit = correct(probabilities, labels).cpu().double()
    confidence = probabilities.max(1).values.cpu().double()
    if confidence.isnan().any():
        return probabilities.sum()
    index = (confidence * bins).ceil().long().clamp(1, bins) - 1
    gap = torch.zeros(bins, dtype=torch.float64)
    gap.index_add_(0, index, hit - confidence)
    return (gap.abs().sum() / len(hit)).to(probabilities.dtype)


def auc_per_case(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Each case's part in the area under the ROC curve, (N,); their mean is an AUC, and their
    spread that of an AUC: their variance over N is DeLong's.

    A case's placement is how many of the cases on the other side it is told from, ties counting
    half. A class of n of the N cases adds (placement − AUC)·N/n to the AUC, so that both sides'
    scatter counts in full: single values may lie outside [0, 1]. With two classes the mean is
    exactly `auc`; with more, it is one against the rest, each class weighing as many cases as it
    has.

    Arguments:
        probabilities: (N, C).
        labels: (N,).

    Returns (N,); NaN where no other class is present or a probability is NaN.

    Source: DeLong et al. 1988, doi 10.2307/2531595.
    """
    _check(probabilities, labels)
    total = torch.zeros(len(labels), device=probabilities.device)
    for c in labels.unique():
        one = labels == c
        inside, outside = probabilities[one, c][:, None], probabilities[~one, c][None]
        wins = (inside > outside).float() + 0.5 * (inside == outside).float()
        area, size = wins.mean(), one.sum()
        total[one] += (size * area + len(labels) * (wins.mean(1) - area)) / len(labels)
        rest = len(labels) - size
        total[~one] += size * (area / len(labels) + (wins.mean(0) - area) / rest)
    return total.masked_fill(probabilities.isnan().any(1), torch.nan)


def balanced_per_case(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Each case's share of the balanced accuracy, (N,); their mean is `balanced_accuracy`.

    A hit counts N / (classes present · cases of its class), a miss 0.
    """
    hit = correct(probabilities, labels)
    count = torch.bincount(labels.long(), minlength=probabilities.shape[1])
    return hit * len(labels) / ((count > 0).sum() * count[labels.long()])


def calibration_per_case(probabilities: Tensor, labels: Tensor, bins: int = 15) -> Tensor:
    """Each case's share of the expected calibration error, (N,); their mean is its value.

    Confidence minus hit, signed such that the bin's mean gap is positive. Shares of single cases
    may be negative: within a bin, errors to both sides cancel.
    """
    gap = probabilities.max(1).values - correct(probabilities, labels)
    index = (probabilities.max(1).values * bins).ceil().long().clamp(1, bins) - 1
    total = torch.zeros(bins, dtype=gap.dtype, device=gap.device).index_add_(0, index, gap)
    return gap * total.sign()[index]


def _check(probabilities: Tensor, labels: Tensor) -> None:
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
        raise CourseError(
            f"Probabilities must be (N, C) and labels (N,), got {tuple(probabilities.shape)} and "
            f"{tuple(labels.shape)}."
        )
