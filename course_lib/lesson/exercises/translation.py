"""Exercises of the lesson on translation: there and back again, and do the edges agree?"""

import torch

from course_lib.lesson.exercise import Exercise, expect
from course_lib.parts.translation.gradients import gradient_correlation


def cycle_loss(there, back, source, target):
    """How far both round trips end from where they began: the mean absolute differences, added."""
    forth = (back(there(source)) - source).abs().mean()
    return forth + (there(back(target)) - target).abs().mean()


def check_cycle(candidate):
    """Round trips whose end is known: perfect ones, and such as miss by a known amount."""
    generator = torch.Generator().manual_seed(0)
    source, target = torch.rand(2, 3, 1, 6, 5, generator=generator)
    kept = source.clone(), target.clone()
    result = candidate(lambda x: 2 * x + 1, lambda y: (y - 1) / 2, source, target)
    _expect_number(result)
    expect(
        torch.equal(source, kept[0]) and torch.equal(target, kept[1]),
        "Your function changes its input. Make a new tensor instead.",
    )
    expect(
        result.abs() < 1e-5,
        "`back` undoes `there` exactly here, so the loss should be 0; yours is "
        f"{result.item():.3g}. Compare where a round trip ends with where it began: images of one "
        "kind only.",
    )
    for there, back, wanted, why in (
        (lambda x: x + 3, lambda y: y - 1, 4.0, "Each round trip ends 2 too high"),
        (lambda x: x - 3, lambda y: y + 1, 4.0, "Each round trip ends 2 too low"),
        (lambda x: x, lambda y: y + 0.5, 1.0, "Each round trip ends 0.5 too high"),
    ):
        value = candidate(there, back, source, target).item()
        expect(
            abs(value - wanted) < 1e-4,
            f"{why}, and there are two of them: {wanted:g} was expected, yours gives {value:.3g}.",
        )
    # Rounding loses something only on the way source → target → source, and the other way round.
    for there, back in ((torch.round, lambda y: y), (lambda x: x, torch.round)):
        value = candidate(there, back, source, target).item()
        wanted = cycle_loss(there, back, source, target).item()
        expect(
            abs(value - wanted) < 1e-4,
            "Here one of the two ways rounds its input. Both round trips lose by it: "
            f"{wanted:.3g} was expected, yours gives {value:.3g}.",
        )
    wide, narrow = torch.rand(2, 1, 8, 8, generator=generator), torch.rand(1, 1, 4, 4)
    value = candidate(lambda x: x + 1, lambda y: 0 * y, wide, narrow).item()
    wanted = cycle_loss(lambda x: x + 1, lambda y: 0 * y, wide, narrow).item()
    expect(
        abs(value - wanted) < 1e-4,
        "This pair of ways forgets the image. The two round trips start from different images: "
        f"{wanted:.3g} was expected, yours gives {value:.3g}.",
    )
    with torch.enable_grad():
        weight = torch.tensor(1.5, requires_grad=True)
        loss = candidate(lambda x: weight * x, lambda y: y, source, target)
        expect(
            isinstance(loss, torch.Tensor) and loss.requires_grad,
            "No gradient reaches the translators. Stay in torch: no .item(), no detach().",
        )


def check_correlation(candidate):
    """Images whose edges agree, are inverted, or have nothing to do with each other."""
    generator = torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 4, 1, 16, 12, generator=generator)
    kept = one.clone(), other.clone()
    result = candidate(one, other)
    expect(result is not None, "Your function returns nothing. Is the `return` missing?")
    expect(isinstance(result, torch.Tensor), f"A tensor was expected, not {type(result).__name__}.")
    expect(
        result.shape == (4,),
        f"One number for each case was expected, shape (4,); yours has {tuple(result.shape)}.",
    )
    expect(
        torch.equal(one, kept[0]) and torch.equal(other, kept[1]),
        "Your function changes its input. Make a new tensor instead.",
    )
    same = candidate(one, one)
    expect(
        torch.allclose(same, torch.ones(4), atol=1e-3),
        f"An image agrees with itself: 1 was expected, yours gives {same[0].item():.3g}.",
    )
    brighter = candidate(one, 7 * one + 3)
    expect(
        torch.allclose(brighter, torch.ones(4), atol=1e-3),
        "Seven times the contrast and another brightness leave every edge where it is: 1 was "
        f"expected, yours gives {brighter[0].item():.3g}.",
    )
    inverted = candidate(one, -one)
    expect(
        torch.allclose(inverted, -torch.ones(4), atol=1e-3),
        f"A negative has all edges inverted: -1 was expected, yours gives "
        f"{inverted[0].item():.3g}. The sign counts.",
    )
    rows = torch.arange(16.0).view(16, 1) ** 2 + torch.zeros(16, 12)
    tilted = candidate(one + rows, other + rows)
    wanted = gradient_correlation(one + rows, other + rows)
    expect(
        torch.allclose(tilted, wanted, atol=1e-2),
        "Both images become brighter from row to row here. Correlate along each axis by itself, "
        f"then take the mean: {wanted[0].item():.3g} was expected, yours gives "
        f"{tilted[0].item():.3g}.",
    )
    ramp = 5 * torch.arange(12.0) + torch.zeros(16, 12)
    shaded = candidate(one + ramp, other + ramp)
    wanted = gradient_correlation(one + ramp, other + ramp)
    expect(
        torch.allclose(shaded, wanted, atol=1e-2),
        "A slope that is the same everywhere is no edge. Subtract each gradient's mean first: "
        f"{wanted[0].item():.3g} was expected, yours gives {shaded[0].item():.3g}.",
    )
    expect(
        torch.allclose(result, gradient_correlation(one, other), atol=2e-2),
        "For unrelated images your numbers differ from the correlation of their gradients.",
    )


def _expect_number(result):
    expect(result is not None, "Your function returns nothing. Is the `return` missing?")
    expect(isinstance(result, torch.Tensor), f"A tensor was expected, not {type(result).__name__}.")
    expect(result.ndim == 0, f"One number was expected, yours has shape {tuple(result.shape)}.")


def _by_loss(there, back, source, target):
    loss = torch.nn.functional.l1_loss
    return loss(there(back(target)), target) + loss(back(there(source)), source)


def _squared(there, back, source, target):
    forth = (back(there(source)) - source).square().mean()
    return forth + (there(back(target)) - target).square().mean()


def _signed(there, back, source, target):
    return (back(there(source)) - source).mean() + (there(back(target)) - target).mean()


def _summed(there, back, source, target):
    return (back(there(source)) - source).abs().sum() + (there(back(target)) - target).abs().sum()


def _detached(there, back, source, target):
    return cycle_loss(there, back, source, target).detach()


def _of_pixels(one, other):
    """NCC of the pixels instead of the gradients."""
    a, b = one.flatten(1), other.flatten(1)
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    return (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))


def _numpy_way(one, other):
    """A right answer by another road: numpy's correlation, case by case."""
    import numpy as np

    found = []
    for a, b in zip(one[:, 0].numpy(), other[:, 0].numpy(), strict=True):
        axes = [(np.diff(a, axis=k).ravel(), np.diff(b, axis=k).ravel()) for k in (0, 1)]
        found.append(np.mean([np.corrcoef(x, y)[0, 1] for x, y in axes]))
    return torch.tensor(np.array(found), dtype=torch.float32)


def _along_columns(one, other):
    a, b = one.diff(dim=-1).flatten(1), other.diff(dim=-1).flatten(1)
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    return (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))


def _not_centred(one, other):
    found = []
    for axis in (2, 3):
        a, b = one.diff(dim=axis).flatten(1), other.diff(dim=axis).flatten(1)
        found.append((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1)))
    return torch.stack(found).mean(0)


def _not_scaled(one, other):
    found = []
    for axis in (2, 3):
        a, b = one.diff(dim=axis).flatten(1), other.diff(dim=axis).flatten(1)
        found.append(((a - a.mean(1, keepdim=True)) * (b - b.mean(1, keepdim=True))).mean(1))
    return torch.stack(found).mean(0)


def _of_sizes(one, other):
    return gradient_correlation(one.diff(dim=-1).abs(), other.diff(dim=-1).abs())


EXERCISES = (
    Exercise(
        id="translation.cycle_loss",
        title="There and back again",
        hints=(
            "Two journeys: one starts from a source image, the other from a target image. Each "
            "should end where it began.",
            "From the source: `back(there(source))` should be `source`. The size of a miss is the "
            "mean of its absolute value.",
            "(back(there(source)) - source).abs().mean() + (there(back(…)) - …).abs().mean()",
        ),
        checker=check_cycle,
        answer=cycle_loss,
        right=(_by_loss,),
        wrong=(
            (lambda t, b, x, y: (b(t(x)) - x).abs().mean(), "makes one journey only"),
            (lambda t, b, x, y: 2 * (b(t(x)) - x).abs().mean(), "makes the same journey twice"),
            (lambda t, b, x, y: (t(x) - y).abs().mean() + (b(y) - x).abs().mean(), "needs pairs"),
            (lambda t, b, x, y: (t(x) - x).abs().mean() + (b(y) - y).abs().mean(), "stays there"),
            (lambda t, b, x, y: cycle_loss(b, t, x, y), "sets out in the wrong direction"),
            (lambda t, b, x, y: 0.5 * cycle_loss(t, b, x, y), "averages the two journeys"),
            (_squared, "squares the miss"),
            (_signed, "lets misses cancel"),
            (_summed, "adds up all pixels"),
            (_detached, "cuts the gradient off"),
        ),
    ),
    Exercise(
        id="translation.gradient_correlation",
        title="Do the edges agree?",
        hints=(
            "First the gradients, along rows and along columns apart; then, for each, a "
            "correlation coefficient over all pixels of a case.",
            "`image.diff(dim=2)` and `image.diff(dim=3)` are gradients. Flatten each, subtract its "
            "mean, and divide the mean product by the two standard deviations.",
            "for axis in (2, 3): a, b = (x.diff(dim=axis).flatten(1) for x in (one, other)); a = a "
            "- a.mean(1, keepdim=True), the same for b; (a * b).sum(1) / (a.norm(dim=1) * "
            "b.norm(dim=1)). Then the mean over both axes.",
        ),
        checker=check_correlation,
        answer=gradient_correlation,
        right=(_numpy_way,),
        wrong=(
            (_of_pixels, "correlates the pixels"),
            (_along_columns, "looks along one axis only"),
            (_not_centred, "keeps the mean slope"),
            (_not_scaled, "forgets to divide by the spread"),
            (_of_sizes, "compares the sizes of the edges"),
            (lambda a, b: gradient_correlation(a, b, absolute=True), "loses the sign"),
            (lambda a, b: 1 - gradient_correlation(a, b), "returns the loss"),
            (lambda a, b: gradient_correlation(a, b).mean(), "averages the cases"),
            (lambda a, b: 2 * gradient_correlation(a, b), "adds the axes up"),
        ),
    ),
)
