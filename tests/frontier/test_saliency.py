"""Maps of what a classifier looks at, their doubts, and scores of maps against closed form."""

import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from course_lib.errors import CourseError
from course_lib.metrics import saliency as metrics
from course_lib.parts.frontier import saliency
from tests.frontier.look import images, small_network


def test_pointing_mass_and_rank_correlation():
    heat = torch.zeros(3, 1, 4, 4)
    heat[0, 0, 1, 1], heat[0, 0, 3, 3] = 3.0, 1.0
    heat[1, 0, 0, :] = 1.0  # four pixels share the highest value, one of them inside
    mask = torch.zeros(3, 1, 4, 4, dtype=torch.bool)
    mask[:, 0, 1, 1], mask[:, 0, 0, 0] = True, True
    assert metrics.pointing(heat, mask).tolist() == [1.0, 0.25, 0.0]
    assert metrics.mass_inside(heat, mask).tolist() == [0.75, 0.25, 0.0]
    a = torch.rand(1, 1, 5, 5, generator=torch.Generator().manual_seed(0))
    assert float(metrics.rank_correlation(a, a.exp())) == pytest.approx(1)
    assert float(metrics.rank_correlation(a, -a)) == pytest.approx(-1)
    b = (5 * torch.rand(1, 1, 5, 5, generator=torch.Generator().manual_seed(1))).round()
    wanted = spearmanr(a.flatten(), b.flatten())[0]
    assert float(metrics.rank_correlation(a, b)) == pytest.approx(wanted, abs=1e-6)
    with pytest.raises(CourseError):
        metrics.pointing(heat, heat)


@pytest.mark.parametrize("kind", saliency.MAPS)
def test_maps_are_never_negative_and_leave_the_weights_without_gradients(kind):
    found, image = small_network(), images()
    heat = saliency.saliency(kind)(found, image)
    assert heat.shape == image.shape and (heat >= 0).all() and heat.max() > 0
    assert all(p.grad is None for p in found.parameters())
    alone = saliency.saliency(kind)(found, image[:1])
    assert torch.allclose(alone, heat[:1], atol=1e-4 * float(heat.max()))


def test_gradient_is_the_slope_of_the_log_odds():
    found, image = small_network(), images(1)
    heat = saliency.gradient(found, image)
    place = (0, 0, 30, 31)
    step = torch.zeros_like(image)
    step[place] = 1e-2
    slope = (saliency.log_odds(found, image + step) - saliency.log_odds(found, image - step)) / 2e-2
    assert float(heat[place]) == pytest.approx(abs(float(slope.detach())), rel=0.05, abs=1e-4)


def test_integrated_gradients_are_complete():
    found, image = small_network(), images(2)
    total = saliency.attributions(found, image, steps=64).sum((1, 2, 3))
    start = torch.full_like(image, saliency.BLACK)
    wanted = saliency.log_odds(found, image) - saliency.log_odds(found, start)
    assert torch.allclose(total, wanted, atol=0.05 * float(wanted.abs().max()))


def test_cam_adds_up_to_the_score_and_grad_cam_generalises_it():
    found, image = small_network(), images(2)
    weights = (found.head.weight[1] - found.head.weight[0]).detach()
    heat = saliency.class_activation(found.maps(image)[-1], weights)
    bias = float(found.head.bias[1] - found.head.bias[0])
    assert torch.allclose(heat.mean((1, 2, 3)) + bias, saliency.log_odds(found, image), atol=1e-4)
    places = heat[0].numel()
    assert torch.allclose(
        saliency.grad_cam(found, image) * places, saliency.cam(found, image), atol=1e-3
    )
    assert not torch.allclose(
        saliency.grad_cam(found, image, stage=0), saliency.grad_cam(found, image)
    )


def test_occlusion_finds_the_only_thing_that_counts():
    class Corner(nn.Module):
        def forward(self, x):
            bright = x[:, 0, 8:16, 40:48].mean((1, 2))
            return torch.stack([torch.zeros_like(bright), bright], 1)

    image = torch.zeros(1, 1, 64, 64)
    image[..., 8:16, 40:48] = 1.0
    heat = saliency.occlusion(Corner(), image)
    assert (
        8 <= int(heat[0, 0].amax(1).argmax()) < 16 and 36 <= int(heat[0, 0].amax(0).argmax()) < 52
    )
    assert heat[0, 0, 40:].max() == 0


def test_random_weights_replace_the_last_parts_first():
    found = small_network()
    head = saliency.randomised(found, parts=1)
    assert not torch.equal(head.head.weight, found.head.weight)
    assert torch.equal(head.stem[0].weight, found.stem[0].weight)
    every = saliency.randomised(found)
    assert not torch.equal(every.stem[0].weight, found.stem[0].weight)
    assert torch.equal(every.head.weight, saliency.randomised(found).head.weight)
    # An edge map passes no such test: it is the same for any weights.
    image = images()
    changed = saliency.gradient(every, image)
    same = metrics.rank_correlation(saliency.gradient(found, image), changed)
    assert (same.abs() < 0.9).all()


def test_deletion_removes_the_highest_first_and_insertion_ends_where_it_starts():
    found, image = small_network(), images(2)
    heat = torch.zeros_like(image)
    heat[..., 20:30, 20:30] = 1.0
    deleted = saliency.curve(found, image, heat, steps=8)
    inserted = saliency.curve(found, image, heat, insert=True, steps=8)
    assert deleted.shape == (2, 9)
    whole = saliency.log_odds(found, image).sigmoid()
    assert torch.allclose(deleted[:, 0], whole) and torch.allclose(inserted[:, -1], whole)
    assert torch.allclose(deleted[:, -1], inserted[:, 0])
