"""Masks against closed forms, MONAI and SimpleITK."""

import numpy as np
import pytest
import SimpleITK
import torch

from course_lib.errors import CourseError
from course_lib.metrics import segmentation as metrics

SPACING = (2.5, 0.8, 1.25)
devices = ["cpu"] + ["cuda"] * torch.cuda.is_available()


def ball(centre, radius, size=(20, 32, 24)):
    axes = torch.meshgrid(*[torch.arange(float(n)) for n in size], indexing="ij")
    return sum((a - c) ** 2 for a, c in zip(axes, centre, strict=True)) < radius**2


@pytest.fixture(scope="module")
def masks():
    """Four cases, two channels; some touch the border of the picture."""
    target = torch.stack([ball((10, 12 + k, 10), 6 + k / 2) for k in range(4)])
    other = torch.stack([ball((5, 10, 4 + k), 5) for k in range(4)])
    target = torch.stack([target, other], 1)
    return target.roll((1, 2), (2, 4)) & ~target.roll(9, 3), target


def all_metrics(p, t):
    return torch.stack(
        [
            metrics.dice(p, t),
            metrics.hd95_mm(p, t, SPACING[-(t.ndim - 2) :]),
            metrics.assd_mm(p, t, SPACING[-(t.ndim - 2) :]),
        ]
    )


def test_agrees_with_monai(masks):
    from monai.metrics import compute_average_surface_distance as assd
    from monai.metrics import compute_dice, compute_hausdorff_distance

    prediction, target = masks
    p, t = prediction.float(), target.float()
    mine = all_metrics(prediction, target)
    assert torch.allclose(mine[0], compute_dice(p, t), atol=1e-6)
    hausdorff = compute_hausdorff_distance(
        p, t, include_background=True, percentile=95, spacing=SPACING
    )
    assert torch.allclose(mine[1].double(), hausdorff.double(), atol=1e-4)
    average = assd(p, t, include_background=True, symmetric=True, spacing=SPACING)
    assert torch.allclose(mine[2].double(), average.double(), atol=1e-4)


@pytest.mark.parametrize("shift, radius", [((0, 3, 0), 5), ((2, -1, 4), 4), ((-1, 2, 2), 7)])
def test_agrees_with_simpleitk(shift, radius):
    """Inner structures only: SimpleITK does not call the picture's edge a surface."""
    target = ball((10, 15, 12), 6)
    prediction = ball([c + s for c, s in zip((10, 15, 12), shift, strict=True)], radius)
    images = [SimpleITK.GetImageFromArray(m.byte().numpy()) for m in (prediction, target)]
    for image in images:
        image.SetSpacing(SPACING[::-1])
    overlap = SimpleITK.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*images)
    surfaces = [SimpleITK.LabelContour(image, fullyConnected=False) for image in images]
    away = []
    for here, there in (surfaces, surfaces[::-1]):
        distance = SimpleITK.SignedMaurerDistanceMap(
            there, squaredDistance=False, useImageSpacing=True
        )
        at = SimpleITK.GetArrayFromImage(here) == 1
        away.append(np.abs(SimpleITK.GetArrayFromImage(distance))[at])
    expected = [
        overlap.GetDiceCoefficient(),
        max(np.percentile(d, 95) for d in away),
        np.concatenate(away).mean(),
    ]
    mine = all_metrics(prediction[None, None], target[None, None])
    assert mine.flatten().tolist() == pytest.approx(expected, abs=1e-4)


def by_force(prediction, target, spacing):
    """HD95 and ASSD from the definition: all distances between all voxels of both surfaces."""
    points = []
    for mask in (prediction, target):
        whole = np.pad(mask, 1)
        around = [
            np.roll(whole, step, axis)[(slice(1, -1),) * mask.ndim]
            for axis in range(mask.ndim)
            for step in (1, -1)
        ]
        points.append(np.argwhere(mask & ~np.all(around, 0)) * np.asarray(spacing))
    apart = np.linalg.norm(points[0][:, None] - points[1], axis=-1)
    there, back = apart.min(1), apart.min(0)
    return max(np.percentile(there, 95), np.percentile(back, 95)), np.r_[there, back].mean()


@pytest.mark.parametrize("size", [(12, 20, 16), (1, 24, 24), (19, 21), (1, 1)])
def test_distances_of_ragged_masks_are_those_of_all_pairs_of_surface_voxels(size):
    """Holes, loose voxels and masks at the picture's edge, with and without equal spacing."""
    random = np.random.default_rng(0)
    for spacing in ((1.0, 1.0, 1.0), (4.0, 0.7, 1.1)):
        for share in (0.03, 0.5, 0.97):
            pair = random.random((2, *size)) < share
            pair[:, *(0 for _ in size)] = True
            masks = torch.from_numpy(pair)[:, None, None]
            found = metrics.surface_distances_mm(masks[0], masks[1], spacing[: len(size)])
            wanted = by_force(*pair, spacing[: len(size)])
            assert [value.item() for value in found] == pytest.approx(wanted, rel=1e-6, abs=1e-6)


def test_closed_form_of_two_squares():
    """Squares of 10 × 10 pixels, 3 columns of 2 mm apart."""
    target = torch.zeros(1, 1, 30, 30, dtype=torch.bool)
    target[..., 10:20, 10:20] = True
    moved = target.roll(3, -1)
    assert metrics.dice(moved, target).item() == pytest.approx(0.7)
    assert metrics.hd95_mm(moved, target, (1.0, 2.0)).item() == pytest.approx(6.0)
    nested = torch.zeros_like(target)
    nested[..., 9:21, 9:21] = True  # one pixel larger all around
    assert metrics.dice(nested, target).item() == pytest.approx(200 / 244)
    # 4 of 44 rim pixels are corners, more than 5%: the percentile reaches them.
    assert metrics.hd95_mm(nested, target, (1.0, 1.0)).item() == pytest.approx(2**0.5)
    # 40 rim pixels lie 1 from the square, 4 corners √2; all 36 of the square lie 1 from the rim.
    assert metrics.assd_mm(nested, target, (1.0, 1.0)).item() == pytest.approx(
        (40 + 4 * 2**0.5 + 36) / 80
    )


def test_what_is_missed_or_made_up_counts_and_what_does_not_exist_does_not():
    full = ball((10, 12, 10), 6)[None, None]
    empty = torch.zeros_like(full)
    diagonal = np.linalg.norm(np.array(SPACING) * full.shape[2:])
    assert all_metrics(empty, empty).isnan().all()
    for pair in ((full, empty), (empty, full)):
        assert all_metrics(*pair).flatten().tolist() == pytest.approx([0, diagonal, diagonal])
    # Nothing that is found can be further away than the penalty for finding nothing.
    corners = torch.zeros(2, 1, 1, *full.shape[2:], dtype=torch.bool)
    corners[0, ..., 0, 0, 0] = corners[1, ..., -1, -1, -1] = True
    assert metrics.hd95_mm(corners[0], corners[1], SPACING).item() < diagonal


def test_the_mean_over_structures_is_over_those_that_a_case_has():
    """Four structures are known. Case 0 has the first two, case 1 the first, case 2 none."""
    one = ball((10, 12, 10), 6)
    none = torch.zeros_like(one)
    target = torch.stack(
        [torch.stack(row) for row in ([one, one, none, none], [one, *[none] * 3], [none] * 4)]
    )
    nothing, made_up = torch.zeros_like(target), target.clone()
    made_up[0, 3] = one
    for prediction, wanted in ((target, [1, 1]), (nothing, [0, 0]), (made_up, [2 / 3, 1])):
        found = metrics.mean_present(metrics.dice(prediction, target))
        assert found[:2].tolist() == pytest.approx(wanted) and found[2].isnan()
    assert metrics.missed(nothing, target)[:2].tolist() == [2, 1]
    assert metrics.missed(target, target)[:2].tolist() == [0, 0]
    assert metrics.missed(nothing, target)[2].isnan()
    values = torch.arange(12.0).view(3, 4)
    assert metrics.last_present(values, target)[:2].tolist() == [1, 4]
    assert metrics.last_present(values, target)[2].isnan()


@pytest.mark.parametrize("device", devices)
def test_perfect_is_ideal_and_growing_error_is_worse(masks, device):
    target = masks[1].to(device)
    perfect = all_metrics(target, target).cpu()
    assert torch.equal(perfect, torch.tensor([1.0, 0, 0]).view(3, 1, 1).expand(3, 4, 2))
    square = torch.zeros(1, 1, 64, 64, dtype=torch.bool, device=device)
    square[..., 10:20, 10:20] = True
    values = torch.stack([all_metrics(square.roll(k, 2), square).cpu() for k in range(6)])
    assert (values[:, 0].diff(dim=0) < 0).all()
    assert (values[:, 1:].diff(dim=0) > 0).all()


def test_batch_equals_items_and_order_follows(masks):
    prediction, target = masks
    whole = all_metrics(prediction, target)
    items = torch.cat([all_metrics(prediction[i : i + 1], target[i : i + 1]) for i in range(4)], 1)
    assert torch.equal(whole, items)
    order = torch.tensor([2, 0, 3, 1])
    assert torch.equal(all_metrics(prediction[order], target[order]), whole[:, order])
    both = metrics.surface_distances_mm(prediction, target, SPACING)
    assert torch.equal(torch.stack(both), whole[1:])


def test_spacing_scales_and_may_differ_between_cases(masks):
    prediction, target = masks
    spacing = torch.tensor(SPACING) * torch.tensor([1.0, 2, 3, 4])[:, None]
    scaled = metrics.hd95_mm(prediction, target, spacing)
    once = metrics.hd95_mm(prediction, target, SPACING)
    assert torch.allclose(scaled, once * torch.tensor([1.0, 2, 3, 4])[:, None])


def test_one_hot():
    labels = torch.tensor([[[0, 2], [5, 2]]])
    assert metrics.one_hot(labels, (2, 5)).int().tolist() == [[[[0, 1], [0, 1]], [[0, 0], [1, 0]]]]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda m: metrics.dice(m[:2], m), "same shape"),
        (lambda m: metrics.dice(m.float(), m.float()), "boolean"),
        (lambda m: metrics.hd95_mm(m, m, (1.0, 1.0)), "Spacing"),
        (lambda m: metrics.assd_mm(m, m, (1.0, 1.0, 0.0)), "Spacing"),
    ],
)
def test_bad_input_is_explained(call, message, masks):
    with pytest.raises(CourseError, match=message):
        call(masks[1])
