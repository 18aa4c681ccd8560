"""Exercises of the super-resolution lesson: the coarse scan, and channels that become pixels."""

import torch

from course_lib.lesson.exercise import Exercise, expect
from course_lib.parts.super_resolution.shuffle import shuffle


def blur_decimate(image, weights, factor):
    """Low resolution: each of every `factor` pixels along the columns is a weighted mean.

    image (…, H, W); weights (k,) with k - factor even and of sum 1; no padding:
    y_j = Σ_i weights_i · x_(s·j + i)
    """
    windows = image.unfold(-1, len(weights), factor)
    return (windows * weights).sum(-1)


def check_blur(candidate):
    """Looks at size, mean, positions and the kind of mean, for two factors."""
    image = torch.rand(2, 3, 13, generator=torch.Generator().manual_seed(0))
    kept, weights = image.clone(), torch.tensor([0.1, 0.2, 0.4, 0.2, 0.1])
    result = candidate(image, weights, 3)
    _expect_tensor(result)
    expect(torch.equal(image, kept), "Your function changes its input. Make a new tensor instead.")
    size = f"(2, 3, 3), yours has {tuple(result.shape)}"
    expect(
        result.shape == (2, 3, 3),
        f"13 columns, a window of 5, steps of 3: the windows begin at 0, 3 and 6. Shape {size}.",
    )
    flat = candidate(torch.full((1, 13), 40.0), weights, 3)
    expect(
        torch.allclose(flat, torch.full_like(flat, 40.0), atol=1e-3),
        f"A constant 40 HU should stay 40 HU; yours is {flat.flatten()[0]:.4g}.",
    )
    for place, wanted in ((2, [0.4, 0.0, 0.0]), (4, [0.1, 0.2, 0.0]), (8, [0.0, 0.0, 0.4])):
        point = torch.zeros(1, 13)
        point[0, place] = 1
        found = candidate(point, weights, 3).flatten()
        expect(
            torch.allclose(found, torch.tensor(wanted), atol=1e-4),
            f"A bright point in column {place} should give {wanted}; yours gives "
            f"{[round(value, 3) for value in found.tolist()]}.",
        )
    skewed = torch.tensor([0.7, 0.2, 0.1, 0.0])
    found, wanted = candidate(image, skewed, 2), blur_decimate(image, skewed, 2)
    expect(
        found.shape == wanted.shape and torch.allclose(found, wanted, atol=1e-4),
        "With the weights (0.7, 0.2, 0.1, 0) and factor 2 the result differs. The first weight "
        "belongs to a window's first pixel, and windows begin at 0, 2, 4 and so on.",
    )


def _expect_tensor(result):
    expect(result is not None, "Your function returns nothing. Is the `return` missing?")
    kind = type(result).__name__
    expect(isinstance(result, torch.Tensor), f"A tensor was expected, not {kind}.")


def _with_convolution(image, weights, factor):
    rows = image.reshape(-1, 1, image.shape[-1])
    low = torch.nn.functional.conv1d(rows, weights.view(1, 1, -1), stride=factor)
    return low.view(*image.shape[:-1], -1)


def _with_slices(image, weights, factor):
    last = image.shape[-1] - len(weights) + 1
    return sum(w * image[..., i : i + last : factor] for i, w in enumerate(weights))


def _in_place(image, weights, factor):
    result = blur_decimate(image, weights, factor)
    image.zero_()
    return result


def pixel_shuffle(features, factor):
    """(N, r², H, W) → (N, 1, r·H, r·W): channel r·a + b goes to row a, column b of each block."""
    count, _, height, width = features.shape
    blocks = features.view(count, factor, factor, height, width)
    rows = blocks.permute(0, 3, 1, 4, 2)
    return rows.reshape(count, 1, factor * height, factor * width)


def check_shuffle(candidate):
    """Looks at the shape and at where single values go."""
    image = torch.rand(2, 4, 3, 5, generator=torch.Generator().manual_seed(0))
    kept, result = image.clone(), candidate(image, 2)
    _expect_tensor(result)
    expect(torch.equal(image, kept), "Your function changes its input. Make a new tensor instead.")
    expect(
        result.shape == (2, 1, 6, 10),
        f"(2, 4, 3, 5) with factor 2 should become (2, 1, 6, 10), yours is {tuple(result.shape)}.",
    )
    expect(
        torch.equal(result.flatten().sort().values, image.flatten().sort().values),
        "Every value should appear exactly once: nothing is added, averaged or left out.",
    )
    for channel, row, column in ((0, 0, 0), (1, 0, 1), (2, 1, 0), (3, 1, 1)):
        found = result[0, 0, 2 * 2 + row, 2 * 3 + column]
        expect(
            found == image[0, channel, 2, 3],
            f"Channel {channel} of coarse pixel (2, 3) should lie in row {row}, column {column} "
            f"of its 2 x 2 block, at ({4 + row}, {6 + column}). Another value lies there.",
        )
    image = torch.rand(1, 9, 2, 2, generator=torch.Generator().manual_seed(1))
    expect(
        torch.equal(candidate(image, 3), shuffle(image, (3, 3))),
        "Factor 2 is right, but not factor 3 with its nine channels.",
    )
    expect(torch.equal(candidate(kept, 2)[1], shuffle(kept, (2, 2))[1]), "The second case is off.")


def _by_loop(features, factor):
    count, _, height, width = features.shape
    fine = features.new_empty(count, 1, factor * height, factor * width)
    for channel in range(factor**2):
        fine[:, 0, channel // factor :: factor, channel % factor :: factor] = features[:, channel]
    return fine


def _reshape_only(features, factor):
    count, _, height, width = features.shape
    return features.reshape(count, 1, factor * height, factor * width)


def _tiled(features, factor):
    count, _, height, width = features.shape
    tiles = features.view(count, factor, factor, height, width).permute(0, 1, 3, 2, 4)
    return tiles.reshape(count, 1, factor * height, factor * width)


def _transposed(features, factor):
    count, _, height, width = features.shape
    blocks = features.view(count, factor, factor, height, width).permute(0, 3, 2, 4, 1)
    return blocks.reshape(count, 1, factor * height, factor * width)


def _first_case(features, factor):
    return pixel_shuffle(features[:1], factor).expand(len(features), -1, -1, -1)


EXERCISES = (
    Exercise(
        id="super_resolution.blur_decimate",
        title="Blur and decimate",
        hints=(
            "Two things happen: neighbouring pixels are averaged with the weights, and only every "
            "`factor`-th average is kept. `unfold` cuts a line into windows.",
            "image.unfold(-1, size, step) adds a last axis with the pixels of each window. "
            "Multiply by the weights and sum over that axis.",
            "windows = image.unfold(-1, len(weights), factor), then (windows * …).sum(-1).",
        ),
        checker=check_blur,
        answer=blur_decimate,
        right=(_with_convolution, _with_slices),
        wrong=(
            (lambda x, w, s: x[..., ::s], "decimates without blur"),
            (lambda x, w, s: blur_decimate(x, w, 1), "blurs without decimating"),
            (lambda x, w, s: x.unfold(-1, len(w), s).mean(-1), "ignores the weights"),
            (lambda x, w, s: blur_decimate(x, w.flip(0), s), "turns the weights round"),
            (lambda x, w, s: blur_decimate(x[..., 1:], w, s), "begins one pixel late"),
            (lambda x, w, s: x.unfold(-1, len(w), s) * w, "forgets the sum"),
            (lambda x, w, s: blur_decimate(x, w, s) / len(w), "divides once too often"),
            (lambda x, w, s: blur_decimate(x, w, 3), "knows one factor only"),
            (lambda x, w, s: blur_decimate(x.mT, w, s), "works along the rows"),
            (_in_place, "changes its input"),
        ),
    ),
    Exercise(
        id="super_resolution.pixel_shuffle",
        title="Pixel shuffle",
        hints=(
            "Each coarse pixel holds r² numbers, one per channel. They become a block of r x r "
            "fine pixels: channel r·a + b lies in row a, column b of that block.",
            "Split the channels into two axes (a, b). Then order the axes so that a stands right "
            "after the row and b right after the column, and join them.",
            "features.view(N, r, r, H, W).permute(0, 3, 1, 4, 2), then reshape(N, 1, r·H, r·W).",
        ),
        checker=check_shuffle,
        answer=pixel_shuffle,
        right=(
            _by_loop,
            lambda features, factor: torch.nn.functional.pixel_shuffle(features, factor),
        ),
        wrong=(
            (_reshape_only, "only gives the numbers another shape"),
            (_tiled, "lays the channels side by side as whole images"),
            (_transposed, "swaps rows and columns inside a block"),
            (
                lambda f, r: (
                    f.mean(1, keepdim=True).repeat_interleave(r, 2).repeat_interleave(r, 3)
                ),
                "averages the channels and repeats pixels",
            ),
            (
                lambda f, r: f[:, :1].repeat_interleave(r, 2).repeat_interleave(r, 3),
                "uses the first channel only",
            ),
            (lambda f, r: pixel_shuffle(f.flip(1), r), "counts the channels backwards"),
            (lambda f, r: pixel_shuffle(f, r)[:, 0], "loses the channel axis"),
            (_first_case, "gives every case the first one's pixels"),
            (lambda f, r: _by_loop(f, 2)[..., : r * f.shape[-1]], "knows one factor only"),
        ),
    ),
)
