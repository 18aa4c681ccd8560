"""SegAN: what makes it itself."""

import pytest
import torch

from course_lib import catalogue, device
from course_lib.errors import CourseError
from course_lib.fit import fit
from course_lib.methods.segmentation.segan import SegAN
from course_lib.parts.segmentation import losses
from course_lib.parts.segmentation.stacks import standardise, to_slices
from tests.segmentation.example import facts, noise


def test_segan_critic_sees_masked_images_only(piece):
    method = SegAN().fresh(facts())
    maps = losses.one_hot(piece["label"], 6)
    masked = method.masked(piece, maps)
    assert masked.shape[1] == 5
    image = to_slices(1 + standardise(piece) / 2)
    inside = to_slices(piece["label"]) == 2
    assert torch.equal(masked[:, 1:2][inside], image[inside])
    assert not masked[:, 1:2][~inside].any()


def test_segan_compares_every_level_and_its_players_want_the_opposite(piece):
    method = SegAN(dice=0.0).fresh(facts())
    (_, critic), (_, segmentor) = method.losses(piece)
    assert critic.item() == pytest.approx(-segmentor.item(), rel=1e-4)
    pairs = noise(2, 5, 32, 32), noise(2, 5, 32, 32, seed=1)
    levels = method.network["critic"](torch.cat(pairs))
    assert len(levels) >= 3
    maps = list(zip(*(level.chunk(2) for level in levels), strict=True))
    by_hand = sum((a - b).abs().mean() for a, b in zip(*maps, strict=True)) / len(maps[0])
    assert method.distance(*pairs).item() == pytest.approx(by_hand.item(), rel=1e-4)
    last = SegAN(levels="last").fresh(facts())
    last.network.load_state_dict(method.network.state_dict())
    only = (maps[0][-1] - maps[1][-1]).abs().mean()
    assert last.distance(*pairs).item() == pytest.approx(only.item(), rel=1e-4)
    assert SegAN(levels="scalar").fresh(facts()).distance(*pairs).ndim == 0


def test_the_papers_segan_has_no_pixel_loss(piece):
    """A critic that sees nothing leaves the segmentor without a gradient."""
    method = SegAN(dice=0.0).fresh(facts())
    with torch.no_grad():
        for weight in method.network["critic"].parameters():
            weight.zero_()
    *_, (player, loss) = method.losses(piece)
    loss.backward()
    assert player == "segmentor"
    assert all(not p.grad.any() for p in method.network["segmentor"].parameters())


def test_the_public_codes_dice_is_added_to_the_segmentor_alone(piece):
    plain, more = SegAN(dice=0.0).fresh(facts()), SegAN(dice=0.5).fresh(facts())
    more.load_state_dict(plain.state_dict())
    (_, critic), (_, segmentor) = plain.losses(piece)
    (_, same), (_, added) = more.losses(piece)
    overlap = losses.dice_loss(plain.scores(piece), piece["label"])
    assert same.item() == pytest.approx(critic.item(), rel=1e-4)
    assert (added - segmentor).item() == pytest.approx(0.5 * overlap.item(), rel=1e-3)


def test_segan_clips_its_critic():
    method = SegAN(bound=0.01).fresh(facts())
    weights = list(method.network["critic"].parameters())
    assert max(float(w.detach().abs().max()) for w in weights) <= 0.0100001
    with torch.no_grad():
        weights[0].fill_(1.0)
    method.after_step("segmentor")
    assert weights[0].max() == 1
    method.after_step("critic")
    assert max(float(w.detach().abs().max()) for w in weights) <= 0.0100001


@pytest.mark.parametrize(
    ("rate", "least", "most"), [(0.0, 0.0, 0.0), (3e-5, 3e-5, 2e-4), (1e-3, 1e-3, 6e-3)]
)
def test_segan_critic_learns_unless_its_rate_is_zero(cases, rate, least, most):
    """At rate 0 the critic stays what it was; else it moves by a part of its bound of 0.05."""
    method = SegAN(critic_rate=rate)
    with device.seeded(0):  # where the training with this seed starts
        before = SegAN(critic_rate=rate).fresh(cases.facts).network.state_dict()
    question = catalogue.question("segmentation", "brain_tissue")
    fit(method, question, cases, profile="smoke", seed=0, progress=False)
    moved = {"critic": [], "segmentor": []}
    for name, value in method.network.state_dict().items():
        if value.is_floating_point():
            moved[name.split(".")[0]].append((value - before[name]).abs().flatten())
    assert least <= float(torch.cat(moved["critic"]).mean()) <= most
    assert float(torch.cat(moved["segmentor"]).mean()) > 1e-3


def test_segan_levels_have_the_same_say(piece):
    """Made ten times as large, a level's weights do not change what the critic sees."""
    method, masked = SegAN().fresh(facts()), noise(4, 5, 32, 32)
    before = method.network["critic"](masked)
    with torch.no_grad():
        method.network["critic"].levels[2][0].weight.mul_(10)
    for a, b in zip(before, method.network["critic"](masked), strict=True):
        assert torch.allclose(a, b, atol=1e-2)


def test_segan_refuses_options_it_does_not_have():
    for options, words in (
        ({"levels": "first"}, "'first'; there are: all, last, scalar"),
        ({"bound": 0.0}, "not 0.0, 3e-05 and 1.0"),
        ({"critic_rate": -1e-4}, "not 0.05, -0.0001 and 1.0"),
        ({"dice": -1.0}, "3e-05 and -1.0"),
    ):
        with pytest.raises(CourseError, match=words):
            SegAN(**options)
