"""The classic changes, and the lesson's knobs for them."""

import pytest
import torch

from course_lib.lesson.widgets.changes import SHOWN, changed
from course_lib.parts.augment import NOTHING, Bend, Change, half_changed


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


def test_every_second_case_is_changed_and_all_that_belongs_to_it_alike():
    torch.manual_seed(0)
    image = torch.randn(6, 1, 4, 32, 32, generator=rng())
    batch = {"image": image, "mask": (image > 0).to(torch.uint8), "label": torch.arange(6)}
    change = Change(flip=False, turn_degrees=90, shift_pixels=0, scale=0, shear=0, noise=0)
    found = half_changed(batch, change, ("image", "mask", "background"))
    assert torch.equal(found["label"], batch["label"]) and "background" not in found
    for name in ("image", "mask"):
        assert torch.equal(found[name][1::2], batch[name][1::2])
        assert found[name].dtype == batch[name].dtype and batch[name].shape == found[name].shape
    moved = (found["image"] != image).flatten(1).float().mean(1)
    assert (moved[::2] > 0.9).all()
    # the mask turned as the image: it still says where the image is bright
    assert ((found["image"] > 0.3) <= (found["mask"] > 0)).float().mean() > 0.97
    smooth = image * 0 + torch.linspace(-1, 1, 32)
    pair = {"image": smooth, "background": smooth}
    turned = half_changed(pair, change, ("image", "background"))
    assert torch.equal(turned["image"], turned["background"])
    assert torch.equal(turned["image"][:, :, 0], turned["image"][:, :, 3])


def test_a_stack_is_bent_with_its_labels_and_all_its_slices_alike():
    line = torch.arange(64) - 31.5
    disc = (line[:, None] ** 2 + (line - 6) ** 2 < 300).to(torch.uint8)
    label = disc.expand(4, 1, 5, 64, 64).contiguous()
    image, window = label.float() * 100 - 50, torch.tensor([[-50.0, 50.0]] * 4)
    moved, marks = Bend(gain=0, offset=0)(image, label, window, rng())
    assert marks.dtype == torch.uint8 and marks.unique().tolist() == [0, 1]
    assert ((moved > 0) == (marks > 0)).float().mean() > 0.99
    assert torch.equal(marks[:, :, 0], marks[:, :, 4])
    overlap = (marks == label).float().mean((1, 2, 3, 4))
    assert (overlap < 0.999).all() and (overlap > 0.7).all()
    assert not torch.equal(marks[0], marks[1])


def test_a_bent_stack_is_relit_within_its_window_and_can_be_left_as_it_was():
    image, window = torch.full((64, 2, 3, 16, 16), 30.0), torch.tensor([[0.0, 40.0]] * 64)
    label = torch.zeros(64, 1, 3, 16, 16, dtype=torch.uint8)
    lit = Bend(gain=0.2, offset=0.1)(image, label, window, rng())[0]
    assert lit.shape == image.shape and lit.flatten(1).std(1).max() < 1e-4
    # 10 above the window's middle, times 0.8 to 1.2, and up to a tenth of 20 more or less
    assert 26 - 1e-3 < lit.min() < 28 and 32 < lit.max() < 34 + 1e-3
    still = Bend(turn_degrees=0, scale=0, bend=0, gain=0, offset=0)
    assert torch.allclose(still(image, label, window, rng())[0], image)
