"""Exercises of the first registration lesson: warping by a displacement, and correlation."""

import torch

from course_lib.lesson.exercise import Exercise, expect
from course_lib.physics import fields


def warp(image, displacement, grid, look_up):
    """The image (N, 1, H, W) read at x + u(x); `grid` (2, H, W) holds the x."""
    return look_up(image, grid + displacement)


def check_warp(candidate):
    """Shifts whose answer is known, then a random field."""
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(2, 1, 12, 16, generator=generator)
    grid = fields.voxel_grid((12, 16))
    kept, kept_grid = image.clone(), grid.clone()
    field = torch.zeros(2, 2, 12, 16)
    result = candidate(image, field, grid, fields.look_up)
    _expect_tensor(result, image)
    expect(
        torch.allclose(result, image, atol=1e-4),
        "A displacement of zero should leave the image as it is; yours changes it.",
    )
    field[:, 0] = 2
    result = candidate(image, field, grid, fields.look_up)
    expect(
        torch.allclose(result[..., :-2, :], image[..., 2:, :], atol=1e-4),
        "With u = (2, 0) everywhere, each pixel should show what lies two rows further down in the "
        "moving image: warped(x) = moving(x + u(x)).",
    )
    field = fields.random_velocity((12, 16), 2, 3.0, 1.0, generator)
    kept_field = field.clone()
    result = candidate(image, field, grid, fields.look_up)
    wanted = fields.warp(image, field)
    expect(
        torch.allclose(result, wanted, atol=1e-3),
        "For a field that differs from place to place the result is "
        f"{(result - wanted).abs().max().item():.2g} off. Each pixel has its own u(x).",
    )
    unchanged = all(
        torch.equal(a, b) for a, b in ((image, kept), (grid, kept_grid), (field, kept_field))
    )
    expect(unchanged, "Your function changes its input. Make a new tensor instead.")


def correlation(one, other):
    """Correlation coefficient of two images (N, 1, H, W), one number per case, (N,)."""
    one, other = one.flatten(1), other.flatten(1)
    one = one - one.mean(1, keepdim=True)
    other = other - other.mean(1, keepdim=True)
    return (one * other).sum(1) / (one.norm(dim=1) * other.norm(dim=1))


def check_correlation(candidate):
    """Brightness and contrast must not matter, sign and order must."""
    generator = torch.Generator().manual_seed(0)
    one, other = torch.rand(2, 3, 1, 8, 10, generator=generator)
    other = other + 0.5 * one
    kept, kept_other = one.clone(), other.clone()
    result = candidate(one, other)
    expect(result is not None, "Your function returns nothing. Is the `return` missing?")
    expect(isinstance(result, torch.Tensor), f"A tensor was expected, not {type(result).__name__}.")
    expect(
        result.shape == (3,),
        f"Three pairs should give three numbers, shape (3,), but yours has {tuple(result.shape)}. "
        "Sum over the pixels of each image, not over the cases.",
    )
    same = candidate(one, one)
    expect(
        torch.allclose(same, torch.ones(3), atol=1e-4),
        f"An image correlates perfectly with itself: 1. Yours gives {same[0].item():.3g}.",
    )
    brighter = candidate(one, 3 * one + 2)
    expect(
        torch.allclose(brighter, torch.ones(3), atol=1e-4),
        "Three times the contrast and a little brighter is still the same anatomy: 1. Yours gives "
        f"{brighter[0].item():.3g}. Subtract each image's own mean, divide by its own length.",
    )
    inverted = candidate(one, -one)
    expect(
        torch.allclose(inverted, -torch.ones(3), atol=1e-4),
        f"An inverted image should give -1; yours gives {inverted[0].item():.3g}.",
    )
    wanted = correlation(kept, kept_other)
    expect(
        torch.allclose(result, wanted, atol=1e-4),
        f"For two different images {wanted[0].item():.4f} is expected, yours gives "
        f"{result[0].item():.4f}.",
    )
    unchanged = torch.equal(one, kept) and torch.equal(other, kept_other)
    expect(unchanged, "Your function changes its input. Make a new tensor instead.")


def _expect_tensor(result, given):
    expect(result is not None, "Your function returns nothing. Is the `return` missing?")
    expect(isinstance(result, torch.Tensor), f"A tensor was expected, not {type(result).__name__}.")
    shapes = f"{tuple(given.shape)}, yours has {tuple(result.shape)}"
    expect(result.shape == given.shape, f"The result should have the input's shape {shapes}.")


def _by_library(image, displacement, grid, look_up):
    return fields.warp(image, displacement)


def _mean_field(image, displacement, grid, look_up):
    return look_up(image, grid + displacement.mean((2, 3), keepdim=True))


def _warp_in_place(image, displacement, grid, look_up):
    displacement += grid
    return look_up(image, displacement)


def _by_corrcoef(one, other):
    pairs = zip(one.flatten(1), other.flatten(1), strict=True)
    return torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in pairs])


def _cosine(one, other):
    return torch.nn.functional.cosine_similarity(one.flatten(1), other.flatten(1))


def _whole(one, other):
    value = correlation(one.flatten()[None], other.flatten()[None])
    return value.expand(len(one))


def _in_place(one, other):
    one -= one.mean((1, 2, 3), keepdim=True)
    other -= other.mean((1, 2, 3), keepdim=True)
    return correlation(one, other)


EXERCISES = (
    Exercise(
        id="registration_supervised.warp",
        title="Warping by a displacement",
        hints=(
            "Where does the pixel at x look? Two of your four arguments say it together.",
            "`grid` holds each pixel's own position x, `displacement` holds u(x). `look_up` reads "
            "an image at positions.",
            "return look_up(image, … + …): the positions are those of the grid plus the "
            "displacement.",
        ),
        checker=check_warp,
        answer=warp,
        right=(_by_library,),
        wrong=(
            (lambda i, u, g, at: i, "does not warp"),
            (lambda i, u, g, at: at(i, g - u), "pushes instead of pulling"),
            (lambda i, u, g, at: at(i, u + 0 * g), "forgets where the pixel itself is"),
            (lambda i, u, g, at: at(i, g + u.flip(1)), "exchanges rows and columns"),
            (_mean_field, "moves all pixels alike"),
            (lambda i, u, g, at: at(i, g + u.round()), "forgets parts of a pixel"),
            (lambda i, u, g, at: at(i, (g + u).expand(2, 2, 12, 16)) + u[:, :1], "adds the field"),
            (_warp_in_place, "changes its input"),
        ),
    ),
    Exercise(
        id="registration_supervised.correlation",
        title="Correlation of two images",
        hints=(
            "Brightness should not matter, so take each image's mean away first. Contrast should "
            "not matter, so divide by each image's length.",
            "For each case: the sum of products of the centred images, over the product of their "
            "norms. `flatten(1)` turns images into rows, `mean(1, keepdim=True)` averages a row.",
            "a = one.flatten(1); a = a - a.mean(1, keepdim=True); the same for b; then "
            "(a * b).sum(1) / (a.norm(dim=1) * …).",
        ),
        checker=check_correlation,
        answer=correlation,
        right=(_by_corrcoef,),
        wrong=(
            (_cosine, "forgets to take the mean away"),
            (lambda a, b: correlation(a, b).abs(), "loses the sign"),
            (lambda a, b: correlation(a, b) ** 2, "squares it"),
            (lambda a, b: correlation(a, b).mean(), "averages over the cases"),
            (_whole, "treats all cases as one image"),
            (lambda a, b: (a - b).square().flatten(1).mean(1), "takes the squared difference"),
            (lambda a, b: -correlation(a, b), "turns the sign round"),
            (_in_place, "changes its input"),
        ),
    ),
)
