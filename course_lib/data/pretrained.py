"""Networks with real weights that someone else trained."""

import torch

from course_lib.data.volumes import imagenet_weights
from course_lib.parts.efficientnet_lite import EfficientNetLite0


def efficientnet_lite0() -> EfficientNetLite0:
    """EfficientNet-Lite0 trained on ImageNet (data set `imagenet_weights`, Apache-2.0), frozen
    and in evaluation mode.

    Raises CourseError when the weights have not been fetched.
    """
    network = EfficientNetLite0()
    network.load_state_dict(torch.load(imagenet_weights(), weights_only=True, map_location="cpu"))
    return network.eval().requires_grad_(False)
