"""Exercises of the segmentation lesson: the soft Dice loss, and the skip of a U-Net."""

import torch
import torch.nn.functional as F

from course_lib.lesson.exercise import Exercise, expect


def dice_loss(p, t):
    """One minus the Dice of probabilities p with the mask t, over all pixels; squares below."""
    both = (p * t).sum()
    return 1 - 2 * both / (p.square().sum() + t.square().sum())


def check_dice(candidate):
    """Looks at cases whose Dice is known, at background, and at the slope."""
    generator = torch.Generator().manual_seed(0)
    t = torch.zeros(1, 1, 8, 8)
    t[..., 2:6, 2:6] = 1
    kept = t.clone()
    result = candidate(t, t)
    expect(result is not None, "Your function returns nothing. Is the `return` missing?")
    expect(isinstance(result, torch.Tensor), f"A tensor was expected, not {type(result).__name__}.")
    expect(result.ndim == 0, f"A loss is one number; yours has the shape {tuple(result.shape)}.")
    expect(torch.equal(t, kept), "Your function changes its input. Make a new tensor instead.")
    expect(
        abs(float(result)) < 1e-3,
        f"A perfect answer should cost 0; yours costs {float(result):.3g}. A loss falls as Dice "
        "rises.",
    )
    apart = torch.zeros_like(t)
    apart[..., 7, :] = 1
    expect(
        abs(float(candidate(apart, t)) - 1) < 1e-3,
        f"Without any overlap the loss is 1; yours is {float(candidate(apart, t)):.3g}.",
    )
    half = torch.zeros_like(t)
    half[..., 2:6, 2:4] = 1
    found = float(candidate(half, t))
    expect(
        abs(found - 1 / 3) < 1e-3,
        f"8 of 16 pixels found, none invented: Dice is 2·8 / (8 + 16), the loss 0.333; yours is "
        f"{found:.3g}.",
    )
    p = torch.rand(2, 1, 8, 8, generator=generator)
    t2 = (torch.rand(2, 1, 8, 8, generator=generator) < 0.3).float()
    found, wanted = float(candidate(p, t2)), float(dice_loss(p, t2))
    expect(
        abs(found - wanted) < 1e-3,
        f"For probabilities between 0 and 1 the loss should be {wanted:.4f}; yours is "
        f"{found:.4f}. Nothing is rounded, and the sums below the line are of squares.",
    )
    wide = F.pad(t, (20, 20, 20, 20))
    found = float(candidate(F.pad(half, (20, 20, 20, 20)), wide))
    expect(
        abs(found - 1 / 3) < 1e-3,
        f"More background changes nothing about Dice, but your loss went from 0.333 to "
        f"{found:.3g}.",
    )
    with torch.enable_grad():
        leaf = p.clone().requires_grad_()
        loss = candidate(leaf, t2)
        expect(
            loss.requires_grad,
            "No gradient comes through: something in it rounds, compares or detaches.",
        )
        (slope,) = torch.autograd.grad(loss, leaf)
    expect(bool((slope[t2 > 0] < 0).any()), "More of p on the structure should lower the loss.")


def join(below, skip):
    """`below` (N, C, h, w) at twice the resolution, behind `skip` (N, K, 2h, 2w):
    (N, K + C, 2h, 2w)."""
    fine = F.interpolate(below, scale_factor=2, mode="nearest")
    return torch.cat([skip, fine], dim=1)


def check_join(candidate):
    """Looks at shapes, at where each pixel goes, and that nothing is added up."""
    generator = torch.Generator().manual_seed(0)
    below = torch.randn(2, 3, 4, 5, generator=generator)
    skip = torch.randn(2, 2, 8, 10, generator=generator)
    kept = below.clone(), skip.clone()
    result = candidate(below, skip)
    expect(result is not None, "Your function returns nothing. Is the `return` missing?")
    expect(isinstance(result, torch.Tensor), f"A tensor was expected, not {type(result).__name__}.")
    expect(
        result.shape == (2, 5, 8, 10),
        f"From (2, 3, 4, 5) and (2, 2, 8, 10) should come (2, 5, 8, 10); yours is "
        f"{tuple(result.shape)}.",
    )
    expect(
        torch.equal(below, kept[0]) and torch.equal(skip, kept[1]),
        "Your function changes its input. Make a new tensor instead.",
    )
    expect(
        torch.equal(result[:, :2], skip),
        "The first channels should be the skip's, as they are: features are put side by side, "
        "not added, and the skip comes first.",
    )
    fine = result[:, 2:]
    expect(
        torch.equal(fine[..., ::2, ::2], below),
        "Each second pixel of the other channels should be a pixel of `below`.",
    )
    expect(
        torch.equal(fine[..., 1::2, ::2], below) and torch.equal(fine[..., 1::2, 1::2], below),
        "A pixel of `below` should fill a square of two by two; yours leaves gaps, or blends "
        "neighbours.",
    )


def _set_dice(p, t):
    """A right answer by another road: through the Tversky form."""
    both = torch.einsum("nchw,nchw->", p, t)
    return (p - t).square().sum() / (p.pow(2).sum() + t.pow(2).sum()) if both >= 0 else both


def _repeat(below, skip):
    return torch.cat((skip, below.repeat_interleave(2, 2).repeat_interleave(2, 3)), 1)


def _in_place(p, t):
    t -= 0.5
    return dice_loss(p, t + 0.5)


def _stamp(below, skip):
    fine = torch.zeros(*below.shape[:2], *skip.shape[2:])
    fine[..., ::2, ::2] = below
    return torch.cat([skip, fine], 1)


EXERCISES = (
    Exercise(
        id="segmentation.dice_loss",
        title="The soft Dice loss",
        hints=(
            "Three sums over all pixels: of p times t, of p squared, of t squared. Then one "
            "division, and mind which way a loss should go.",
            "Dice is twice the first sum over the sum of the other two. The loss is one minus "
            "that. Do not round p: a rounded p has no slope.",
            "both = (p * t).sum(), then 1 - 2 * both / (p.square().sum() + …).",
        ),
        checker=check_dice,
        answer=dice_loss,
        right=(_set_dice,),
        wrong=(
            (lambda p, t: 1 - dice_loss(p, t), "gives Dice, not a loss"),
            (lambda p, t: 1 - 2 * (p * t).sum() / (p.sum() + t.sum()), "forgets the squares"),
            (lambda p, t: 1 - (p * t).sum() / (p.square().sum() + t.sum()), "forgets the two"),
            (lambda p, t: dice_loss((p > 0.5).float(), t), "rounds the probabilities"),
            (lambda p, t: dice_loss(p.detach(), t), "lets no gradient through"),
            (lambda p, t: (p - t).square().mean(), "is the mean squared error"),
            (lambda p, t: F.binary_cross_entropy(p, t), "is the cross-entropy"),
            (
                lambda p, t: 1 - 2 * (p * t).mean((2, 3)) / (p**2 + t**2).mean((2, 3)),
                "gives one loss for each image",
            ),
            (
                lambda p, t: 1 - (p * t).sum() / (p + t - p * t).sum(),
                "is one minus the Jaccard index",
            ),
            (_in_place, "changes its input"),
        ),
    ),
    Exercise(
        id="segmentation.join",
        title="The skip of a U-Net",
        hints=(
            "Two steps: make `below` as large as `skip`, then put the channels of both side by "
            "side.",
            "`torch.nn.functional.interpolate(…, scale_factor=2)` repeats each pixel in a square "
            "of two by two; `torch.cat([…], dim=1)` joins along the channels.",
            "fine = torch.nn.functional.interpolate(below, scale_factor=2), then "
            "torch.cat([skip, fine], dim=…).",
        ),
        checker=check_join,
        answer=join,
        right=(_repeat,),
        wrong=(
            (lambda b, s: torch.cat([F.interpolate(b, scale_factor=2), s], 1), "turns the order"),
            (lambda b, s: s + F.interpolate(b, scale_factor=2)[:, :2], "adds, as an FCN does"),
            (lambda b, s: torch.cat([s, b.repeat(1, 1, 2, 2)], 1), "tiles the image"),
            (
                lambda b, s: torch.cat(
                    [s, F.interpolate(b, scale_factor=2, mode="bilinear")], dim=1
                ),
                "blends neighbours",
            ),
            (lambda b, s: torch.cat([s[..., ::2, ::2], b], 1), "makes the skip small instead"),
            (_stamp, "leaves gaps"),
            (lambda b, s: F.interpolate(b, scale_factor=2), "forgets the skip"),
        ),
    ),
)
