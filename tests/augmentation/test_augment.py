"""The classic changes, and the lesson's knobs for them."""

import pytest
import torch

from course_lib.lesson.widgets.changes import SHOWN, changed
from course_lib.parts.augment import NOTHING, Change


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    "kind",
    [
        {"flip": True},
        {"turn_degrees": 40},
        {"shift_pixels": 4},
        {"scale": 0.4},
        {"shear": 0.4},
        {"noise": 50},
    ],
    ids=lambda kind: next(iter(kind)),
)
def test_each_kind_of_change_can_be_switched(kind):
    image = torch.randn(8, 1, 32, 32, generator=rng())
    off = {name: 0 for name in ("turn_degrees", "shift_pixels", "scale", "shear", "noise")}
    change = Change(**{"flip": False} | off | kind)
    assert not torch.allclose(change(image, rng()), image, atol=0.1)
    assert torch.equal(NOTHING(image, rng()), image)
    assert change.times(0) == NOTHING
    assert torch.equal(change(image, rng()), change(image, rng()))


def test_changes_do_what_they_say():
    line = torch.arange(32) - 15.5
    spot = (line[:, None] ** 2 + line**2 < 36).float().expand(200, 1, 32, 32)
    still = dict(flip=False, turn_degrees=0, shift_pixels=0, scale=0, shear=0, noise=0)
    area = Change(**still | {"scale": 0.3})(spot, rng()).sum((1, 2, 3)) / spot[0].sum()
    assert 0.45 < area.min() < 0.6 and 1.5 < area.max() < 1.75
    turned = Change(**still | {"turn_degrees": 180})(spot, rng())
    assert (turned - spot).abs().mean() < 0.02
    moved = Change(**still | {"shift_pixels": 3})(spot, rng())
    mass = moved.sum((1, 2, 3))
    middle = (moved.sum(2)[:, 0] * line).sum(1) / mass
    assert 2.5 < middle.abs().max() < 3.1 and abs(float(middle.mean())) < 0.4
    noisy = Change(**still | {"noise": 5.0})(spot, rng()) - spot
    assert float(noisy.std()) == pytest.approx(5, rel=0.02)
    mirrored = Change(**still | {"flip": True})(line.expand(40, 1, 32, 32).contiguous(), rng())
    ends = {round(float(v)) for v in mirrored[:, 0, 0, 0]}
    assert ends == {-16, 16} or ends == {-15, 15}


def test_widget_shows_each_patch_and_its_copies(labelled):
    patches = labelled.train["image"][:2]
    shown = changed(patches, 90.0, 2.0, 0.2, 50.0)
    assert shown.shape == (2, SHOWN, 32, 32)
    assert torch.equal(shown[:, :1], patches)
    assert not torch.allclose(shown[:, 1], shown[:, 2])
