"""Exercises of the second registration lesson: folds, and the way there and back."""

import torch

from course_lib.lesson.exercise import Exercise, expect
from course_lib.physics import fields


def determinant(displacement):
    """det(I + ∇u) of fields (N, 2, H, W) with forward differences, (N, H - 1, W - 1)."""
    down = displacement[:, :, 1:, :-1] - displacement[:, :, :-1, :-1]
    right = displacement[:, :, :-1, 1:] - displacement[:, :, :-1, :-1]
    return (1 + down[:, 0]) * (1 + right[:, 1]) - right[:, 0] * down[:, 1]


def check_determinant(candidate):
    """Affine fields, whose determinant is known; then a random one."""
    grid = fields.voxel_grid((7, 9))
    rest = torch.zeros(1, 2, 7, 9)
    _expect_shape(candidate(rest), (1, 6, 8))
    _expect_value(candidate(rest), 1.0, "No displacement changes no area")
    _expect_value(candidate(rest + 3), 1.0, "A shift changes no area")
    for matrix, words in (
        ([[1.0, 0.0], [0.0, 0.0]], "Stretching rows to the double"),
        ([[0.5, 0.0], [0.0, 0.5]], "Stretching both axes by a half"),
        ([[0.0, 0.7], [0.0, 0.0]], "A shear"),
        ([[0.0, -1.0], [1.0, 0.0]], "A turn with a stretch"),
        ([[-2.0, 0.0], [0.0, 0.0]], "Turning the rows upside down"),
        ([[0.3, 0.5], [0.4, -0.2]], "Stretch and shear together"),
    ):
        slope = torch.tensor(matrix)
        field = torch.einsum("ij,jhw->ihw", slope, grid)[None]
        wanted = torch.linalg.det(slope + torch.eye(2)).item()
        _expect_value(candidate(field), wanted, words)
    field = torch.randn(2, 2, 7, 9, generator=torch.Generator().manual_seed(0))
    kept = field.clone()
    result = candidate(field)
    _expect_shape(result, (2, 6, 8))
    expect(
        torch.allclose(result, determinant(kept), atol=1e-4),
        "For a field that differs from place to place the numbers are not those of forward "
        "differences, x + 1 minus x, at each pixel.",
    )
    expect(torch.equal(field, kept), "Your function changes its input. Make a new tensor instead.")


def _expect_shape(result, shape):
    expect(result is not None, "Your function returns nothing. Is the `return` missing?")
    expect(isinstance(result, torch.Tensor), f"A tensor was expected, not {type(result).__name__}.")
    expect(
        result.shape == shape,
        f"A field of 7 x 9 pixels has {shape[1]} x {shape[2]} forward differences in both "
        f"directions: shape {shape}, yours has {tuple(result.shape)}.",
    )


def _expect_value(result, wanted, words):
    expect(
        torch.allclose(result, torch.full_like(result, wanted), atol=1e-3),
        f"{words}: every determinant should be {wanted:.3g}, yours is {result.mean().item():.3g}.",
    )


def there_and_back(forward, backward, warp):
    """How far from its start each pixel ends: u(x) + v(x + u(x)), (N, 2, H, W) pixels."""
    return forward + warp(backward, forward)


def check_there_and_back(candidate):
    """Exact inverses, a way back that is wrong by a known amount, then random fields."""
    generator = torch.Generator().manual_seed(0)
    shift = torch.zeros(1, 2, 16, 16)
    shift[:, 1] = 2.0
    result = candidate(shift, -shift, fields.warp)
    expect(result is not None, "Your function returns nothing. Is the `return` missing?")
    expect(isinstance(result, torch.Tensor), f"A tensor was expected, not {type(result).__name__}.")
    expect(
        result.shape == shift.shape,
        f"A displacement for each pixel was expected, {tuple(shift.shape)}; yours has "
        f"{tuple(result.shape)}.",
    )
    expect(
        result.abs().max() < 1e-4,
        "Two pixels to the right, then two to the left: every pixel is home again, so the result "
        f"should be 0; yours is {result.abs().max().item():.3g}.",
    )
    result = candidate(shift, 0 * shift, fields.warp)
    expect(
        torch.allclose(result, shift, atol=1e-4),
        "With a way back that does nothing, each pixel stays where the way there took it: the "
        "result should be the forward field.",
    )
    one, other = (fields.random_velocity((16, 16), 1, 3.0, 2.0, generator) for _ in range(2))
    kept, kept_other = one.clone(), other.clone()
    result = candidate(one, other, fields.warp)
    wanted = there_and_back(kept, kept_other, fields.warp)
    expect(
        torch.allclose(result, wanted, atol=1e-3),
        "For two winding fields the result is wrong. The way back starts where the way there "
        "ended, so v must be read at x + u(x), not at x.",
    )
    unchanged = torch.equal(one, kept) and torch.equal(other, kept_other)
    expect(unchanged, "Your function changes its input. Make a new tensor instead.")


def _by_linalg(displacement):
    down = displacement[:, :, 1:, :-1] - displacement[:, :, :-1, :-1]
    right = displacement[:, :, :-1, 1:] - displacement[:, :, :-1, :-1]
    matrix = torch.stack([down, right], -1).movedim(1, -2)
    return torch.linalg.det(matrix + torch.eye(2))


def _no_identity(u):
    down, right = u.diff(dim=2)[..., :-1], u.diff(dim=3)[..., :-1, :]
    return down[:, 0] * right[:, 1] - right[:, 0] * down[:, 1]


def _diagonal(u):
    return (1 + u[:, 0].diff(dim=1)[..., :-1]) * (1 + u[:, 1].diff(dim=2)[:, :-1])


def _plus(u):
    down, right = u.diff(dim=2)[..., :-1], u.diff(dim=3)[..., :-1, :]
    return (1 + down[:, 0]) * (1 + right[:, 1]) + right[:, 0] * down[:, 1]


def _divergence(u):
    return 1 + u[:, 0].diff(dim=1)[..., :-1] + u[:, 1].diff(dim=2)[:, :-1]


def _determinant_in_place(u):
    result = determinant(u)
    u += 1
    return result


def _composed(forward, backward, warp):
    return fields.compose(backward, forward)


def _back_in_place(forward, backward, warp):
    result = warp(backward, forward)
    forward += result
    return forward


EXERCISES = (
    Exercise(
        id="registration_unsupervised.determinant",
        title="The Jacobian determinant",
        hints=(
            "Four numbers at each pixel: how each of the two components changes one pixel down, "
            "and one pixel to the right. Add 1 where a component changes along its own axis.",
            "A difference down is u[:, :, 1:, :-1] - u[:, :, :-1, :-1]; both differences must have "
            "H - 1 rows and W - 1 columns. The determinant of a 2 x 2 matrix is ad - bc.",
            "down = u[:, :, 1:, :-1] - u[:, :, :-1, :-1]; right = …; then "
            "(1 + down[:, 0]) * (1 + right[:, 1]) - right[:, 0] * down[:, 1].",
        ),
        checker=check_determinant,
        answer=determinant,
        right=(_by_linalg,),
        wrong=(
            (_no_identity, "forgets the identity: the field is a displacement, not a map"),
            (_diagonal, "leaves out the shear"),
            (_plus, "adds the products instead of subtracting"),
            (_divergence, "takes the divergence, right only for small fields"),
            (lambda u: determinant(u.flip(1)), "exchanges rows and columns"),
            (lambda u: determinant(u).abs(), "loses the sign, and with it all folds"),
            (lambda u: fields.jacobian_determinant(u)[:, :-1, :-1], "takes central differences"),
            (lambda u: (determinant(u) <= 0).float(), "says where it folds, not the determinant"),
            (_determinant_in_place, "changes its input"),
        ),
    ),
    Exercise(
        id="registration_unsupervised.there_and_back",
        title="There and back again",
        hints=(
            "Follow one pixel. The way there takes it from x to x + u(x). Which displacement does "
            "the way back have at that place?",
            "The displacement back is v(x + u(x)), and that is v warped by u. The sum of both is "
            "how far from home the pixel ends.",
            "return forward + warp(…, …): which field is read, and by which is it warped?",
        ),
        checker=check_there_and_back,
        answer=there_and_back,
        right=(_composed,),
        wrong=(
            (lambda u, v, w: u + v, "reads the way back where the way there began"),
            (lambda u, v, w: v + w(u, v), "begins with the way back"),
            (lambda u, v, w: u - w(v, u), "subtracts the way back"),
            (lambda u, v, w: w(v, u), "forgets the way there"),
            (lambda u, v, w: u + w(v, -u), "looks on the other side"),
            (lambda u, v, w: (u + w(v, u)).norm(dim=1, keepdim=True), "returns lengths"),
            (_back_in_place, "changes its input"),
        ),
    ),
)
