"""The ResNet from scratch, and fine-tuning, on other data."""

import torch

from course_lib.methods.classification.fine_tuning import FineTuning
from course_lib.methods.classification.resnet_baseline import ResNetBaseline
from tests.classification.example import facts


def test_networks_fit_other_data():
    for image in (torch.rand(4, 3, 28, 28), torch.rand(4, 1, 12, 12, 12)):
        about = facts(classes=5, channels=image.shape[1], dims=image.ndim - 2, window=(0.0, 1.0))
        for method in (ResNetBaseline(), FineTuning(depth=0)):
            assert method.fresh(about).eval().predict({"image": image}).shape == (4, 5)
