"""EfficientNet-Lite0 as a feature extractor for medical images of any kind."""

import hashlib

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.parts.efficientnet_lite import FEATURES, GROUPS, EfficientNetLite0

SIDE = 96
"""Pixels a side that images are enlarged to: at 64 the last maps would have four places only."""
SLICES = 8
"""How many slices of a volume are looked at, spread evenly."""
LAYERS = {"group 3": 2 * GROUPS[2][1], "group 6": 2 * GROUPS[5][1], "head": 2 * FEATURES}
"""Layers to take features from, and how many each has."""


def as_pictures(unit: Tensor) -> tuple[Tensor, int]:
    """What the network can look at, and how many pictures each case became.

    Grey images are repeated in three channels and scaled as ImageNet's were; small ones are
    enlarged to 96 pixels; a volume becomes eight of its slices.

    Arguments:
        unit: (N, 1 or 3, H, W) or (N, 1, D, H, W) in [0, 1].
    Returns (N · slices, 3, H', W') and slices (1 for images).
    """
    slices = 1
    if unit.ndim == 5:
        depth = unit.shape[2]
        slices = min(SLICES, depth)
        middle = (torch.arange(slices, device=unit.device) * 2 + 1) * depth // (2 * slices)
        unit = unit[:, :, middle].transpose(1, 2).flatten(0, 1)
    if min(unit.shape[-2:]) < SIDE:
        unit = F.interpolate(unit, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
    return EfficientNetLite0.normalise(unit), slices


def pooled(network: EfficientNetLite0, unit: Tensor) -> dict[str, Tensor]:
    """Layer → mean and maximum over that layer's maps, (N, features); for volumes, of the slices'
    means. The maximum keeps what is small: a nodule covers few places of a map."""
    pictures, slices = as_pictures(unit)
    maps = network.maps(pictures)
    head = F.relu6(network._bn1(network._conv_head(maps[-1])))
    found = {"group 3": maps[2], "group 6": maps[5], "head": head}
    both = {k: torch.cat([v.mean((2, 3)), v.amax((2, 3))], 1) for k, v in found.items()}
    return {k: v.unflatten(0, (-1, slices)).mean(1) for k, v in both.items()}


def calibrate(network: EfficientNetLite0, unit: Tensor) -> None:
    """Sets the running statistics of a network with random weights to those of some images.

    Without this its activations fade away layer by layer, and as a control it would be a straw man.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    kept = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
    network.train()
    with torch.no_grad():
        for part in unit.split(32):
            if len(part) > 1:
                network.features(as_pictures(part)[0])
    network.eval()
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum = momentum


def fingerprint(network: nn.Module) -> str:
    """SHA-256 of all weights and statistics: equal before and after means that nothing moved."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
