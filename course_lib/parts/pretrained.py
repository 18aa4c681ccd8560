"""Networks with real weights that someone else trained."""

from pathlib import Path

import torch

from course_lib.data import fetch
from course_lib.parts.efficientnet_lite import EfficientNetLite0


def efficientnet_lite0() -> EfficientNetLite0:
    """EfficientNet-Lite0 trained on ImageNet (data set `imagenet_weights`, Apache-2.0), frozen
    and in evaluation mode.

    Raises CourseError when the weights have not been fetched.
    """
    network = EfficientNetLite0()
    network.load_state_dict(torch.load(imagenet_weights(), weights_only=True, map_location="cpu"))
    return network.eval().requires_grad_(False)


def imagenet_weights() -> Path:
    """The file with EfficientNet-Lite0's ImageNet weights, for torch.load(weights_only=True)."""
    return fetch.path("imagenet_weights", "efficientnet-lite0-57934424.pth")
