"""Deformation fields against SimpleITK, closed forms and their own inverses."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from course_lib.physics import fields

SHAPES = [(24, 31), (14, 17, 20)]


def smooth_image(shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return fields.random_velocity(shape, 1, 2.0, 1.0, generator)[:, :1]


def velocity(shape, strength=1.5, seed=1, smoothness=6.0):
    return fields.random_velocity(
        shape, 2, smoothness, strength, torch.Generator().manual_seed(seed)
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_warp_agrees_with_simpleitk(shape, mode):
    image, displacement = smooth_image(shape), velocity(shape)[:1]
    # ITK keeps components x first and vectors last; its images index the array (z, y, x).
    vectors = displacement[0].flip(0).movedim(0, -1).double().numpy()
    transform = sitk.DisplacementFieldTransform(sitk.GetImageFromArray(vectors, isVector=True))
    reference = sitk.Resample(
        sitk.GetImageFromArray(image[0, 0].numpy()),
        transform,
        sitk.sitkLinear if mode == "bilinear" else sitk.sitkNearestNeighbor,
        0.0,
    )
    ours = fields.warp(image, displacement, mode=mode)[0, 0].numpy()
    inner = tuple(slice(5, -5) for _ in shape)
    difference = np.abs(ours - sitk.GetArrayFromImage(reference))[inner]
    if mode == "bilinear":
        assert difference.max() < 1e-4
    else:  # a handful of positions lie within rounding of half a voxel
        assert (difference > 1e-4).mean() < 1e-3


@pytest.mark.parametrize("shape", SHAPES)
def test_translation_has_its_closed_form(shape):
    image = smooth_image(shape)
    displacement = torch.zeros(1, len(shape), *shape)
    displacement[:, -1] = 3.0
    assert torch.allclose(
        fields.warp(image, displacement)[..., :-3], image[..., 3:], rtol=0, atol=1e-5
    )
    constant = torch.full_like(displacement, 0.7)
    assert torch.allclose(fields.exponential(constant), constant, atol=1e-5)
    assert torch.allclose(fields.jacobian_determinant(displacement), torch.ones(1, *shape))


@pytest.mark.parametrize("shape", SHAPES)
def test_affine_jacobian_is_the_determinant(shape):
    dims = len(shape)
    matrix = torch.eye(dims) + 0.2 * torch.randn(
        dims, dims, generator=torch.Generator().manual_seed(3)
    )
    grid = fields.voxel_grid(shape)
    displacement = (torch.einsum("ij,j...->i...", matrix, grid) - grid)[None]
    determinant = fields.jacobian_determinant(displacement)
    assert torch.allclose(determinant, torch.linalg.det(matrix).expand_as(determinant), atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_exponential_of_minus_v_is_the_inverse(shape):
    v = velocity(shape)
    there, back = fields.exponential(v), fields.exponential(-v)
    inner = (slice(None), slice(None), *(slice(5, -5) for _ in shape))
    assert there[inner].abs().max() > 1.5
    assert fields.compose(there, back)[inner].abs().max() < 0.15
    assert fields.compose(back, there)[inner].abs().max() < 0.15
    by_fixed_point = fields.inverse(there)
    assert fields.compose(there, by_fixed_point)[inner].abs().max() < 0.02
    assert fields.folding_percent(there).max() == 0


def test_exponential_of_a_linear_velocity_is_the_matrix_exponential():
    shape = (41, 41)
    rate = torch.tensor([[0.10, -0.15], [0.15, 0.05]])
    centred = fields.voxel_grid(shape) - 20
    v = torch.einsum("ij,jyx->iyx", rate, centred)[None]
    expected = torch.einsum("ij,jyx->iyx", torch.matrix_exp(rate), centred) - centred
    inner = (slice(14, 27), slice(14, 27))
    assert torch.allclose(
        fields.exponential(v)[0][:, *inner], expected[:, *inner], rtol=0, atol=0.02
    )


def test_compose_warps_in_the_stated_order():
    shape = (40, 40)
    image = fields.random_velocity(shape, 1, 5.0, 1.0, torch.Generator().manual_seed(0))[:, :1]
    outer, inner = fields.exponential(velocity(shape, smoothness=6.0)).split(1)
    twice = fields.warp(fields.warp(image, outer), inner)
    once = fields.warp(image, fields.compose(outer, inner))
    wrong = fields.warp(image, fields.compose(inner, outer))
    centre = (..., slice(8, -8), slice(8, -8))
    error = (twice - once)[centre].abs().mean()
    assert error < 0.1 * (twice - wrong)[centre].abs().mean()


def test_a_folded_map_is_found():
    displacement = torch.zeros(1, 2, 16, 20)
    # Columns 8 … 11 are mirrored: x ↦ 19 − x there.
    for column in range(8, 12):
        displacement[:, 1, :, column] = 19 - 2 * column
    folded = fields.folding_percent(displacement)
    assert 9 < folded.item() < 30
    assert fields.folding_percent(torch.zeros_like(displacement)).item() == 0


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_reach_velocity_and_image(shape):
    v = velocity(shape)[:1].requires_grad_()
    image = smooth_image(shape).requires_grad_()
    fields.warp(image, fields.exponential(v)).square().sum().backward()
    assert v.grad.abs().max() > 0 and torch.isfinite(v.grad).all()
    assert image.grad.abs().max() > 0 and torch.isfinite(image.grad).all()


def test_random_velocity_has_the_stated_strength_and_smoothness():
    v = fields.random_velocity((64, 64), 40, 3.0, 2.0, torch.Generator().manual_seed(7))
    assert v.std().item() == pytest.approx(2.0, rel=0.05)
    # Noise smoothed with standard deviation s is correlated as exp(−d² / 4s²).
    lagged = (v[..., 3:] * v[..., :-3]).mean() / v.square().mean()
    assert lagged.item() == pytest.approx(np.exp(-0.25), abs=0.05)


def test_a_field_of_the_wrong_dimension_is_refused():
    with pytest.raises(ValueError, match="needs a displacement"):
        fields.warp(torch.zeros(1, 1, 4, 4), torch.zeros(1, 3, 4, 4))
