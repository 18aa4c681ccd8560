"""Losses of label maps, and what each does when the foreground is small.

Scores are (N, C, *spatial) without softmax; labels (N, 1, *spatial) whole numbers from 0, the
background, to C − 1. p are the softmax of the scores, t the labels one-hot. The overlap losses
leave the background out, because it is large and would hide the rest.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.errors import CourseError


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """(N, 1, *spatial) → (N, classes, *spatial) float."""
    return F.one_hot(labels[:, 0].long(), classes).movedim(-1, 1).float()


def cross_entropy(scores: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """−mean w log p of the true class. `weights` (C,): one for each class.

    Every pixel counts the same, so a structure of 0.1% of the pixels has 0.1% of the say.
    """
    return F.cross_entropy(scores, labels[:, 0].long(), weights)


def balanced_cross_entropy(scores: Tensor, labels: Tensor, power: float = 1.0) -> Tensor:
    """Cross-entropy with a weight of frequency^−power for each class of the batch.

    With power 1 all classes have the same say, and small ones are drawn too large; with ½ a class
    a hundred times as rare weighs ten times as much.
    """
    counts = torch.bincount(labels.flatten().long(), minlength=scores.shape[1]).to(scores)
    weights = (counts.sum() / counts.clamp_min(1)).pow(power) * (counts > 0)
    return cross_entropy(scores, labels, weights)


def damped_cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy with weights of one over the root of each class's frequency."""
    return balanced_cross_entropy(scores, labels, 0.5)


def soft_dice(p: Tensor, t: Tensor, squared: bool = True) -> Tensor:
    """Dice of probabilities, per class over the whole batch: (N, C, *spatial) twice → (C,).

        2 Σ p t / (Σ p² + Σ t²)   or, if not squared,   2 Σ p t / (Σ p + Σ t)

    It is a ratio: the number of background pixels does not enter. Sums run over the batch, because
    a slice without the structure would have no Dice; a class that neither has counts as 1.

    Source: Milletari, Navab & Ahmadi 2016, doi 10.1109/3DV.2016.79.
    """
    axes = [0, *range(2, p.ndim)]
    both = (p * t).sum(axes)
    sizes = (p.square() + t.square() if squared else p + t).sum(axes)
    return (2 * both + 1e-5) / (sizes + 1e-5)


def dice_loss(scores: Tensor, labels: Tensor, squared: bool = True) -> Tensor:
    """1 − mean soft Dice of the foreground classes."""
    p, t = scores.softmax(1), one_hot(labels, scores.shape[1])
    return 1 - soft_dice(p[:, 1:], t[:, 1:], squared).mean()


def focal_loss(scores: Tensor, labels: Tensor, gamma: float = 2.0) -> Tensor:
    """−mean (1 − p)^γ log p of the true class: pixels that are right already fall silent.

    Source: Lin et al. 2017, doi 10.1109/ICCV.2017.324. MONAI's FocalLoss with softmax.
    """
    log_p = scores.log_softmax(1).gather(1, labels.long())
    return -((1 - log_p.exp()).pow(gamma) * log_p).mean()


def dice_ce_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Half cross-entropy, half Dice loss."""
    return 0.5 * cross_entropy(scores, labels) + 0.5 * dice_loss(scores, labels, squared=False)


def combo_terms(scores: Tensor, labels: Tensor, beta: float = 0.5) -> dict[str, Tensor]:
    """The two terms of the combo loss, both to be minimised.

        entropy = mean −(β t log p + (1 − β)(1 − t) log(1 − p)),   overlap = −soft Dice

    Both log terms are negative, and both means run over pixels and foreground classes. β above one
    half punishes what is missed, below one half what is invented.

    Source: Taghanaki et al. 2019, doi 10.1016/j.compmedimag.2019.04.005.
    """
    log_p = scores.log_softmax(1)[:, 1:]
    p, t = log_p.exp(), one_hot(labels, scores.shape[1])[:, 1:]
    log_q = torch.log1p(-p.clamp_max(1 - 1e-6))
    entropy = -(beta * t * log_p + (1 - beta) * (1 - t) * log_q).mean()
    return {"entropy": entropy, "overlap": -soft_dice(p, t, squared=False).mean()}


def combo_loss(scores: Tensor, labels: Tensor, alpha: float = 0.5, beta: float = 0.5) -> Tensor:
    """α · entropy + (1 − α) · overlap, see `combo_terms`. α = 1 is a weighted cross-entropy alone,
    α = 0 (minus) Dice alone."""
    terms = combo_terms(scores, labels, beta)
    return alpha * terms["entropy"] + (1 - alpha) * terms["overlap"]


def known_loss(name: str) -> str:
    """The name of a loss in LOSSES, as it was given.

    Raises CourseError, which lists them, for another one.
    """
    if name not in LOSSES:
        raise CourseError(f"There is no loss {name!r}; there are: {', '.join(LOSSES)}.")
    return name


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross_entropy": cross_entropy,
    "balanced_cross_entropy": balanced_cross_entropy,
    "damped_cross_entropy": damped_cross_entropy,
    "dice": dice_loss,
    "focal": focal_loss,
    "dice_ce": dice_ce_loss,
    "combo": combo_loss,
}
