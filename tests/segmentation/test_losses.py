"""Losses of label maps, by hand and against MONAI's."""

import pytest
import torch

from course_lib.errors import CourseError
from course_lib.parts.segmentation import losses
from tests.segmentation.example import noise


def example(classes=3):
    scores = 2 * noise(2, classes, 3, 8, 8)
    labels = torch.randint(classes, (2, 1, 3, 8, 8), generator=torch.Generator().manual_seed(1))
    return scores, labels


def test_dice_with_squares_is_the_papers_and_monais():
    from monai.losses import DiceLoss

    scores, labels = example()
    p, g = scores.softmax(1), losses.one_hot(labels, 3)
    by_hand = [
        1 - 2 * (p[:, c] * g[:, c]).sum() / (p[:, c].square().sum() + g[:, c].square().sum())
        for c in (1, 2)
    ]
    assert losses.dice_loss(scores, labels).item() == pytest.approx(float(sum(by_hand)) / 2, 1e-4)
    monai = DiceLoss(False, True, softmax=True, squared_pred=True, batch=True)
    assert losses.dice_loss(scores, labels).item() == pytest.approx(
        monai(scores, labels).item(), 1e-4
    )


def test_focal_loss_is_monais_and_cross_entropy_without_gamma():
    from monai.losses import FocalLoss

    scores, labels = example()
    monai = FocalLoss(gamma=2.0, use_softmax=True, to_onehot_y=True)
    # MONAI takes the mean over classes too, of which one counts in each pixel.
    assert losses.focal_loss(scores, labels).item() == pytest.approx(
        3 * monai(scores, labels).item(), 1e-4
    )
    plain = losses.cross_entropy(scores, labels).item()
    assert losses.focal_loss(scores, labels, gamma=0.0).item() == pytest.approx(plain, 1e-4)


def test_balanced_cross_entropy_gives_every_class_the_same_say():
    labels = torch.zeros(1, 1, 1, 10, 10, dtype=torch.long)
    labels[..., 0, 0] = 1
    flat = torch.zeros(1, 2, 1, 10, 10, requires_grad=True)
    losses.balanced_cross_entropy(flat, labels).backward()
    pull = flat.grad[0, 1, 0]
    assert pull[0, 0].item() == pytest.approx(-float(pull.sum() - pull[0, 0]), rel=1e-4)


def test_combo_with_alpha_one_is_weighted_cross_entropy_and_with_zero_dice():
    scores, labels = example(2)
    p, t = scores.softmax(1)[:, 1], labels[:, 0].float()
    for beta in (0.3, 0.8):
        entropy = -(beta * t * p.log() + (1 - beta) * (1 - t) * (1 - p).log()).mean()
        ours = losses.combo_loss(scores, labels, 1.0, beta)
        assert ours.item() == pytest.approx(entropy.item(), 1e-4) and ours > 0
    dice = 2 * (p * t).sum() / (p.sum() + t.sum())
    assert losses.combo_loss(scores, labels, 0.0).item() == pytest.approx(-dice.item(), 1e-4)


def test_both_log_terms_of_combo_punish():
    labels = torch.tensor([0, 1]).reshape(1, 1, 1, 1, 2)
    right = torch.tensor([[4.0, -4.0], [-4.0, 4.0]]).reshape(1, 2, 1, 1, 2)
    for pixel in (0, 1):  # a false alarm, a miss
        wrong = right.clone()
        wrong[..., pixel] *= -1
        assert losses.combo_loss(wrong, labels, 1.0) > losses.combo_loss(right, labels, 1.0) + 1


def test_beta_turns_misses_into_false_alarms_monotonically():
    """On pixels that cannot be told apart, the best p grows with β: fewer misses, more alarms."""
    labels = torch.zeros(1, 1, 1, 1, 100, dtype=torch.long)
    labels[..., :30] = 1
    best = []
    for beta in (0.2, 0.5, 0.8):
        score = torch.zeros(1, requires_grad=True)
        optimiser = torch.optim.Adam([score], lr=0.1)
        for _ in range(150):
            both = torch.stack([torch.zeros(100), score.expand(100)])[None, :, None, None]
            loss = losses.combo_loss(both, labels, 0.8, beta)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        best.append(score.sigmoid().item())
    assert best[0] < best[1] - 0.05 and best[1] < best[2] - 0.05


def test_an_unknown_loss_lists_the_known_ones():
    assert losses.known_loss("dice") == "dice"
    with pytest.raises(CourseError, match=r"'hinge'.*cross_entropy, .*combo"):
        losses.known_loss("hinge")
