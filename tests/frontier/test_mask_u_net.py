"""The U-Net on outlines: which cases it draws."""

import pytest
import torch

from course_lib import catalogue
from course_lib.errors import CourseError
from course_lib.methods.frontier.mask_u_net import MaskUNet
from course_lib.tasks.frontier import reading


def test_the_u_net_draws_outlined_cases_only(cases):
    train = cases("weak_labels/5_masks").train
    method = MaskUNet().fresh(train.facts)
    method.begin("train", train)
    drawn = []

    def sample(some, count):
        drawn.append(some)
        return reading.sample(some, "smoke", count, torch.Generator().manual_seed(0))

    batch = method.draw(train, sample, 16)
    assert batch["has_mask"].all() and len(batch["label"]) == 16
    assert len(drawn) == 1 and len(drawn[0]) == 10 and drawn[0]["has_mask"].all()


def test_the_u_net_needs_an_outline(cases):
    with pytest.raises(CourseError, match="outline"):
        MaskUNet().fresh(cases("weak_labels/0_masks").facts)
    assert not catalogue.fits(catalogue.entry("mask_u_net"), "weak_labels/0_masks")
    assert catalogue.fits(catalogue.entry("mask_u_net"), "weak_labels/5_masks")
