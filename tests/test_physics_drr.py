"""Radiographs against closed forms: boxes, balls, shadows of points, gradients."""

import math

import pytest
import torch

from course_lib.errors import CourseError
from course_lib.physics import drr

STRAIGHT = torch.zeros(1, 6)
MM = (2.0, 2.0, 2.0)


def box(size=40, half=8):
    """A box of 2 mm voxels in the middle, side 2 · half voxels, attenuation 0.01 per mm."""
    volume = torch.zeros(1, 1, size, size, size)
    inside = slice(size // 2 - half, size // 2 + half)
    volume[..., inside, inside, inside] = 0.01
    return volume


def test_a_ray_through_a_box_gives_its_length_times_attenuation():
    camera = drr.Camera(pixels=9, pixel_mm=4.0, samples=2000, reach_mm=100)
    seen = drr.project(box(), MM, STRAIGHT, camera)[0, 0]
    line = (torch.arange(9) - 4) * 4.0
    down, across = torch.meshgrid(line, line, indexing="ij")
    slant = ((down**2 + across**2) / 1100**2 + 1).sqrt()
    # All these rays enter and leave through front and back.
    assert torch.allclose(seen, 0.32 * slant, rtol=2e-3)


def test_a_ball_casts_the_shadow_of_its_chords():
    size, radius, mu = 64, 40.0, 0.02
    line = (torch.arange(size) - (size - 1) / 2) * 2.0
    away = sum(x**2 for x in torch.meshgrid(line, line, line, indexing="ij")).sqrt()
    ball = mu * ((radius - away) / 2 + 0.5).clamp(0, 1)[None, None]  # partial volume at its edge
    camera = drr.Camera(pixels=33, pixel_mm=3.0, samples=1000, reach_mm=80)
    seen = drr.project(ball, MM, STRAIGHT, camera)[0, 0]
    beside = torch.linalg.cross(
        camera.rays().movedim(0, -1), torch.tensor(camera.origin).expand(33, 33, 3)
    ).norm(dim=-1)
    chord = 2 * (radius**2 - beside**2).clamp_min(0).sqrt()
    inside = beside < radius - 6
    assert inside.sum() > 400
    assert torch.allclose(seen[inside], mu * chord[inside], rtol=0.01)
    assert seen[beside > radius + 3].abs().max() < 1e-6


@pytest.mark.parametrize("axis", range(6))
def test_a_point_casts_its_shadow_where_geometry_says(axis):
    """Also the sense of every rotation and shift: DRR and `place` + `shadow` agree."""
    volume = torch.zeros(1, 1, 41, 41, 41)
    volume[0, 0, 28, 15, 26] = 1.0
    point = (torch.tensor([28, 15, 26]) - 20.0) * 4
    pose = torch.zeros(1, 6)
    pose[0, axis] = 20.0
    camera = drr.Camera(pixels=81, pixel_mm=3.0, samples=400, reach_mm=150)
    seen = drr.project(volume, (4.0, 4.0, 4.0), pose, camera)[0, 0]
    grid = torch.stack(torch.meshgrid(torch.arange(81.0), torch.arange(81.0), indexing="ij"))
    centre = (seen * grid).flatten(1).sum(1) / seen.sum()
    wanted = camera.shadow(drr.place(point.view(1, 1, 3), pose))[0, 0]
    assert (centre - wanted).abs().max() < 0.3


def test_head_is_up_and_the_patients_left_on_the_right():
    camera = drr.Camera()
    up_and_left = torch.tensor([[[50.0, 0.0, 50.0]]])
    row, column = camera.shadow(up_and_left)[0, 0]
    assert row < 31.5 < column
    near, far = (camera.shadow(torch.tensor([[[0.0, y, 50.0]]]))[0, 0, 1] for y in (-100.0, 100.0))
    assert near > far  # what is nearer to the source is enlarged more


def test_rotations_are_rotations():
    pose = torch.randn(5, 6, generator=torch.Generator().manual_seed(0)) * 60
    matrix = drr.rotation(pose)
    assert torch.allclose(matrix @ matrix.mT, torch.eye(3).expand(5, 3, 3), atol=1e-5)
    assert torch.allclose(torch.linalg.det(matrix), torch.ones(5), atol=1e-5)
    quarter = torch.tensor([[0.0, 90.0, 0.0, 0.0, 0.0, 0.0]])
    turned = drr.place(torch.tensor([[[1.0, 0.0, 0.0]]]), quarter)[0, 0]
    assert abs(float(turned[1])) < 1e-6 and abs(abs(float(turned[2])) - 1) < 1e-6  # about y


def test_gradient_is_that_of_finite_differences():
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 1, 6, 6, 6, generator=generator)
    volume = torch.nn.functional.interpolate(coarse, scale_factor=6.0, mode="trilinear").double()
    camera = drr.Camera(pixels=12, pixel_mm=12.0, samples=60, reach_mm=120)
    pose = torch.tensor([[3.0, -4.0, 5.0, 6.0, -7.0, 8.0]], dtype=torch.float64)
    weights = torch.rand(1, 1, 12, 12, generator=generator).double()

    def value(at):
        # look_up makes its grid in the positions' type, so all of it runs in double precision.
        return (drr.project(volume, (4.0, 4.0, 4.0), at, camera) * weights).sum()

    leaf = pose.clone().requires_grad_()
    (slope,) = torch.autograd.grad(value(leaf), [leaf])
    for axis in range(6):
        step = torch.zeros_like(pose)
        step[0, axis] = 1e-4
        expected = (value(pose + step) - value(pose - step)) / 2e-4
        assert math.isclose(float(slope[0, axis]), float(expected), rel_tol=0.02, abs_tol=1e-3)


def test_bad_input_is_explained():
    with pytest.raises(CourseError, match="volume"):
        drr.project(torch.zeros(1, 8, 8, 8), MM, STRAIGHT, drr.Camera())
    with pytest.raises(CourseError, match="poses"):
        drr.project(torch.zeros(2, 1, 8, 8, 8), MM, torch.zeros(3, 6), drr.Camera())
