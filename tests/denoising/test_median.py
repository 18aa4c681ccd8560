"""The median filter."""

import torch

from course_lib.methods.denoising.median import Median


def test_median_removes_a_spike():
    image = torch.zeros(1, 1, 9, 9)
    image[0, 0, 4, 4] = 900
    assert not Median().predict({"low_dose": image}).any()
