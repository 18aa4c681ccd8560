"""Exercises of the frontier lesson: a class activation map, and the expected calibration error."""

import torch

from course_lib.lesson.exercise import Exercise, expect


def class_activation(features, weights):
    """Σ_k w_k f_k of features (N, K, h, w) and weights (K,): a map (N, h, w)."""
    return torch.einsum("nkhw,k->nhw", features, weights)


def check_activation(candidate):
    """Looks at single features, at the sum over places, and at what must not be touched."""
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(2, 5, 3, 4, generator=generator)
    weights = torch.randn(5, generator=generator)
    kept, kept_weights = features.clone(), weights.clone()
    result = candidate(features, weights)
    expect(result is not None, "Your function returns nothing. Is the `return` missing?")
    expect(isinstance(result, torch.Tensor), f"A tensor was expected, not {type(result).__name__}.")
    expect(
        result.shape == (2, 3, 4),
        f"Of features (2, 5, 3, 4) one map per image was expected, (2, 3, 4); yours has the shape "
        f"{tuple(result.shape)}. Add up over the features, the second axis.",
    )
    expect(
        torch.equal(features, kept) and torch.equal(weights, kept_weights),
        "Your function changes its input. Make a new tensor instead.",
    )
    for k in range(5):
        one = torch.zeros(5)
        one[k] = -2.0
        expect(
            torch.allclose(candidate(features, one), -2 * features[:, k], atol=1e-5),
            f"With the weight -2 on feature {k} alone, the map should be -2 times that feature. "
            "What speaks against a nodule stays negative here; no scaling, no clipping.",
        )
    total = (features.mean((2, 3)) * weights).sum(1)
    expect(
        torch.allclose(result.mean((1, 2)), total, atol=1e-5),
        "The mean of the map should be the network's score of the pooled features; yours is "
        f"{result.mean((1, 2))[0].item():.3g} instead of {total[0].item():.3g}.",
    )


def calibration_error(confidence, hit, bins=10):
    """Σ_b n_b/N |share of hits − mean confidence| over equal bins of the confidence, both (N,)."""
    number = (confidence * bins).ceil().long().clamp(1, bins)
    total = 0.0
    for b in range(1, bins + 1):
        inside = number == b
        if inside.any():
            gap = hit[inside].float().mean() - confidence[inside].mean()
            total = total + inside.float().mean() * gap.abs()
    return total


def check_calibration(candidate):
    """Sets whose error is known by heart."""
    sure = torch.tensor([0.95] * 10 + [0.65] * 30)
    truth = torch.tensor([1.0] * 9 + [0.0] + [1.0] * 15 + [0.0] * 15)
    kept = sure.clone()
    result = candidate(sure, truth, 10)
    expect(result is not None, "Your function returns nothing. Is the `return` missing?")
    expect(
        isinstance(result, (float, torch.Tensor)) and torch.as_tensor(result).numel() == 1,
        "One number was expected for the whole set.",
    )
    expect(torch.equal(sure, kept), "Your function changes its input. Make a new tensor instead.")

    def close(value, wanted):
        return abs(float(value) - wanted) < 1e-4

    expect(
        close(result, 0.125),
        "Ten cases were called with 95% certainty and nine were right: a gap of 0.05. Thirty were "
        "called with 65% and half were right: a gap of 0.15. Weighted by the cases that makes "
        f"0.125; yours gives {float(result):.4g}.",
    )
    both = torch.tensor([0.92, 0.98]), torch.tensor([1.0, 0.0])
    expect(
        close(candidate(*both, 10), 0.45),
        "Two cases of one bin, called with 92% and 98%, one right: the bin's mean confidence is "
        f"0.95, its share of hits 0.5, the gap 0.45; yours is {float(candidate(*both, 10)):.4g}.",
    )
    honest = torch.tensor([0.75] * 8), torch.tensor([1.0] * 6 + [0.0] * 2)
    expect(
        close(candidate(*honest, 10), 0.0),
        "Eight cases called with 75%, six right: that is perfectly honest and should give 0.",
    )
    mixed = torch.tensor([0.72] * 10 + [0.88] * 10), torch.tensor([1.0] * 10 + [0.0] * 10)
    expect(
        close(candidate(*mixed, 10), 0.58),
        "Too timid in one bin (72%, all right) and too bold in another (88%, none right): both are "
        f"errors and must not cancel. Expected: 0.58, yours: {float(candidate(*mixed, 10)):.4g}.",
    )
    edge = torch.tensor([0.5, 0.45]), torch.tensor([1.0, 0.0])
    expect(
        close(candidate(*edge, 10), 0.025),
        "A confidence of exactly 50% belongs to the bin above 40%, up to 50%, together with 45%. "
        f"One of the two right makes 0.025; yours is {float(candidate(*edge, 10)):.4g}.",
    )
    expect(
        close(candidate(*mixed, 1), 0.30),
        "With a single bin everything is pooled: confidence 0.80, hits 0.50, error 0.30; yours is "
        f"{float(candidate(*mixed, 1)):.4g}. Is the number of bins used?",
    )


def _loop(features, weights):
    """A right answer by another road."""
    total = torch.zeros_like(features[:, 0])
    for k, weight in enumerate(weights):
        total = total + weight * features[:, k]
    return total


def _by_index(confidence, hit, bins=10):
    """A right answer by another road: signed gaps added up per bin."""
    number = (confidence * bins).ceil().long().clamp(1, bins) - 1
    gap = torch.zeros(bins).index_add(0, number, hit.float() - confidence)
    return gap.abs().sum() / len(hit)


def _closed_below(confidence, hit, bins=10):
    number = (confidence * bins).floor().long().clamp(max=bins - 1)
    gap = torch.zeros(bins).index_add(0, number, hit.float() - confidence)
    return gap.abs().sum() / len(hit)


def _in_place(features, weights):
    features *= weights.view(1, -1, 1, 1)
    return features.sum(1)


def _equal_bins(confidence, hit, bins=10):
    number = (confidence * bins).ceil().long().clamp(1, bins)
    gaps = [
        (hit[number == b].float().mean() - confidence[number == b].mean()).abs()
        for b in number.unique()
    ]
    return torch.stack(gaps).mean()


def _signed(confidence, hit, bins=10):
    return (confidence - hit).mean()


def _largest(confidence, hit, bins=10):
    number = (confidence * bins).ceil().long().clamp(1, bins)
    gaps = [
        (hit[number == b].float().mean() - confidence[number == b].mean()).abs()
        for b in number.unique()
    ]
    return torch.stack(gaps).max()


EXERCISES = (
    Exercise(
        id="frontiers.class_activation",
        title="The class activation map",
        hints=(
            "The network's score is a weighted sum of pooled features. What is left if you do not "
            "pool?",
            "Multiply each feature map by its weight and add the maps up. The weights need the "
            "shape (1, K, 1, 1) to fit (N, K, h, w).",
            "(features * weights.view(1, -1, 1, 1)).sum(…): which axis holds the features?",
        ),
        checker=check_activation,
        answer=class_activation,
        right=(_loop, lambda f, w: (f * w.view(1, -1, 1, 1)).sum(1)),
        wrong=(
            (lambda f, w: f.mean(1), "forgets the weights"),
            (lambda f, w: (f * w.view(1, -1, 1, 1)).mean(1), "takes the mean over the features"),
            (lambda f, w: (f * w.view(1, -1, 1, 1)).sum((2, 3)), "adds up over places"),
            (lambda f, w: class_activation(f, w).relu(), "clips what speaks against"),
            (lambda f, w: class_activation(f, w.abs()), "loses the sign of the weights"),
            (lambda f, w: class_activation(f, w.softmax(0)), "normalises the weights"),
            (lambda f, w: (f * w.view(1, -1, 1, 1)).amax(1), "takes the strongest feature"),
            (_in_place, "changes its input"),
        ),
    ),
    Exercise(
        id="frontiers.calibration_error",
        title="The expected calibration error",
        hints=(
            "Sort the cases into bins by their confidence. What should the share of hits be in "
            "each bin?",
            "In each bin: |mean of hit − mean of confidence|. Then a mean over the bins in which a "
            "bin counts as many times as it has cases. Empty bins count nothing.",
            "number = (confidence * bins).ceil().clamp(1, bins); for each b: inside = number == b; "
            "total += inside.float().mean() * (hit[inside].mean() - …).abs()",
        ),
        checker=check_calibration,
        answer=calibration_error,
        right=(_by_index,),
        wrong=(
            (lambda c, h, bins=10: (c - h).abs().mean(), "compares single cases, not shares"),
            (_equal_bins, "lets every bin count alike"),
            (_signed, "lets timid and bold cancel"),
            (lambda c, h, bins=10: _signed(c, h).abs(), "uses no bins"),
            (lambda c, h, bins=10: calibration_error(c, h, 10), "fixes the number of bins"),
            (lambda c, h, bins=10: (c - h).square().mean(), "computes the Brier score"),
            (_closed_below, "puts a bin's lower edge into it"),
            (_largest, "reports the worst bin"),
            (lambda c, h, bins=10: 1 - h.mean(), "computes the error rate"),
        ),
    ),
)
