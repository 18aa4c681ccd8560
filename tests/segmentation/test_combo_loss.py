"""Combo loss: what makes it itself."""

import pytest

from course_lib.errors import CourseError
from course_lib.methods.segmentation.combo_loss import ComboLoss
from course_lib.methods.segmentation.unet import UNet
from course_lib.parts.segmentation import losses
from tests.segmentation.example import facts


def test_combo_is_the_u_net_with_another_loss(piece):
    method = ComboLoss(beta=0.7).fresh(facts())
    same = {k: v.shape for k, v in UNet().fresh(facts()).state_dict().items()}
    assert {k: v.shape for k, v in method.state_dict().items()} == same
    ((_, loss),) = method.losses(piece)
    wanted = losses.combo_loss(method.scores(piece), piece["label"], 0.5, 0.7)
    assert loss.item() == pytest.approx(wanted.item(), abs=1e-4)


def test_both_terms_of_the_loss_are_told_and_weighted_by_alpha(piece):
    method = ComboLoss(alpha=0.8).fresh(facts())
    ((_, loss),) = method.losses(piece)
    entropy, overlap = (float(method.told[name]) for name in ("entropy", "overlap"))
    assert entropy > 0 > overlap
    assert loss.item() == pytest.approx(0.8 * entropy + 0.2 * overlap, rel=1e-4)


def test_alpha_and_beta_are_shares():
    for options in ({"alpha": 1.5}, {"beta": -0.1}):
        with pytest.raises(CourseError, match="between 0 and 1, not"):
            ComboLoss(**options)
