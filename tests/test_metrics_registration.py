"""Deformations with known answers."""

import pytest
import torch

from course_lib.errors import CourseError
from course_lib.metrics import registration as metrics
from course_lib.physics import fields

SPACING = (2.0, 0.5)
devices = ["cpu"] + ["cuda"] * torch.cuda.is_available()


def constant(values, size=(20, 24), count=3):
    return torch.tensor(values).view(1, -1, 1, 1).expand(count, -1, *size).clone()


@pytest.fixture(scope="module")
def smooth():
    generator = torch.Generator().manual_seed(0)
    velocity = fields.random_velocity((32, 32), 4, 4.0, 1.5, generator)
    return fields.exponential(velocity), fields.exponential(-velocity)


@pytest.mark.parametrize("device", devices)
def test_closed_forms_of_a_translation(device):
    """3 rows of 2 mm and 4 columns of 0.5 mm: √(36 + 4) mm."""
    field = constant([3.0, 4.0]).to(device)
    still = torch.zeros_like(field)
    points = torch.tensor([[5.0, 6.0], [10.0, 3.5]]).expand(3, 2, 2).to(device)
    length = 40**0.5
    moved = points + torch.tensor([3.0, 4.0], device=device)
    assert metrics.tre_mm(field, points, moved, SPACING).cpu() == pytest.approx([0] * 3)
    assert metrics.tre_mm(still, points, moved, SPACING).cpu() == pytest.approx([length] * 3)
    assert metrics.endpoint_error_mm(still, field, SPACING).cpu() == pytest.approx([length] * 3)
    assert metrics.inverse_consistency_mm(field, -field, SPACING).cpu() == pytest.approx([0] * 3)
    there = metrics.inverse_consistency_mm(field, still, SPACING).cpu()
    assert there == pytest.approx([length] * 3)
    assert metrics.folding_percent(field).tolist() == [0, 0, 0]


def test_landmarks_between_voxels_and_in_three_dimensions():
    """u = 0.1·x along each axis, exact under linear interpolation."""
    grid = fields.voxel_grid((8, 9, 10))[None]
    points = torch.tensor([[[2.25, 3.5, 4.75], [1.0, 7.5, 0.5]]])
    error = metrics.tre_mm(0.1 * grid, points, 1.1 * points, (3.0, 1.0, 1.0))
    assert error.item() == pytest.approx(0, abs=1e-5)


def test_missing_landmarks_are_left_out():
    field = torch.zeros(3, 2, 10, 10)
    fixed = torch.full((3, 2, 2), 4.0)
    moving = fixed + torch.tensor([[0.0, 2.0], [0.0, 4.0]])
    fixed[1, 0] = torch.nan
    moving[2] = torch.nan
    error = metrics.tre_mm(field, fixed, moving, (1.0, 1.0))
    assert error[:2].tolist() == pytest.approx([3.0, 4.0])
    assert error[2].isnan()


def test_endpoint_error_within_a_mask():
    truth = torch.zeros(1, 2, 10, 10)
    field = truth.clone()
    field[:, :, :5] = 1.0
    mask = torch.zeros(1, 1, 10, 10, dtype=torch.bool)
    mask[..., :5, :] = True
    assert metrics.endpoint_error_mm(field, truth, (1.0, 1.0)).item() == pytest.approx(2**0.5 / 2)
    assert metrics.endpoint_error_mm(field, truth, (1.0, 1.0), mask).item() == pytest.approx(2**0.5)
    assert metrics.endpoint_error_mm(field, truth, (1.0, 1.0), mask & False).isnan().all()


def test_inverse_consistency_may_be_asked_of_a_region():
    forward = torch.zeros(1, 2, 8, 8)
    forward[:, 0, :, 4:] = 1.0  # the right half comes back a voxel too low
    left = (torch.arange(8) < 4).expand(1, 1, 8, 8)
    still = torch.zeros_like(forward)
    for region, wanted in ((left, 0.0), (~left, 2.0)):
        found = metrics.inverse_consistency_mm(forward, still, (2.0, 2.0), region)
        assert found.item() == pytest.approx(wanted)


def test_inverse_consistency_of_a_diffeomorphism(smooth):
    forward, backward = smooth
    right = metrics.inverse_consistency_mm(forward, backward, (1.0, 1.0))
    wrong = metrics.inverse_consistency_mm(forward, -forward, (1.0, 1.0))
    none = metrics.inverse_consistency_mm(forward, 0 * forward, (1.0, 1.0))
    assert (right < 0.1).all()
    assert (right < wrong).all() and (wrong < none).all()


def test_folding():
    """A mirror folds everywhere; a local mirror folds its share."""
    grid = fields.voxel_grid((16, 16))[None]
    mirror = torch.zeros(1, 2, 16, 16)
    mirror[:, 1] = 15 - 2 * grid[:, 1]
    assert metrics.folding_percent(mirror).item() == 100
    half = torch.where(grid[:, :1] < 8, mirror, torch.zeros_like(mirror))
    assert 40 < metrics.folding_percent(half).item() < 60


def test_growing_error_is_worse(smooth):
    truth = smooth[0]
    points = (torch.rand(4, 10, 2, generator=torch.Generator().manual_seed(1)) * 20) + 6
    target = fields.move_points(points, truth)
    scores = []
    for share in (1.0, 0.8, 0.5, 0.0):
        field = share * truth
        scores.append(
            torch.stack(
                [
                    metrics.tre_mm(field, points, target, (1.0, 1.0)),
                    metrics.endpoint_error_mm(field, truth, (1.0, 1.0)),
                ]
            )
        )
    assert torch.allclose(scores[0], torch.zeros(2, 4), atol=1e-5)
    assert (torch.stack(scores).diff(dim=0) > 0).all()


def test_batch_equals_items_and_order_follows(smooth):
    forward, backward = smooth
    points = (torch.rand(4, 10, 2, generator=torch.Generator().manual_seed(1)) * 20) + 6
    scores = {
        "tre": lambda i: metrics.tre_mm(forward[i], points[i], points[i] + 1, SPACING),
        "endpoint": lambda i: metrics.endpoint_error_mm(forward[i], backward[i], SPACING),
        "inverse": lambda i: metrics.inverse_consistency_mm(forward[i], -forward[i], SPACING),
        "folding": lambda i: metrics.folding_percent(8 * forward[i]),
    }
    order = torch.tensor([2, 0, 3, 1])
    for score in scores.values():
        whole = score(torch.arange(4))
        assert whole.shape == (4,)
        assert torch.allclose(torch.cat([score(torch.tensor([i])) for i in range(4)]), whole)
        assert torch.allclose(score(order), whole[order])


def test_nan_stays_in_its_case(smooth):
    forward, backward = smooth[0].clone(), smooth[1]
    forward[1, 0, 16, 16] = torch.nan
    points = torch.full((4, 1, 2), 16.0)
    for values in (
        metrics.tre_mm(forward, points, points, SPACING),
        metrics.endpoint_error_mm(forward, backward, SPACING),
        metrics.inverse_consistency_mm(forward, backward, SPACING),
        metrics.folding_percent(forward),
    ):
        assert values.isnan().tolist() == [False, True, False, False]


def test_bad_spacing_is_explained(smooth):
    with pytest.raises(CourseError, match="Spacing"):
        metrics.endpoint_error_mm(*smooth, (1.0, 1.0, 1.0))
