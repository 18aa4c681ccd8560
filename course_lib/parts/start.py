"""How weights start, and how they lie in memory."""

import torch
from torch import nn


def zero(*layers: nn.Module) -> None:
    """All weights and biases start at zero: what ends in such a layer starts as nothing."""
    for layer in layers:
        for weight in layer.parameters():
            nn.init.zeros_(weight)


def he(*layers: nn.Module) -> None:
    """Weights start so that ReLU keeps the signal's size; biases at zero.

    He, Zhang, Ren & Sun 2015, ICCV, doi 10.1109/ICCV.2015.123.
    """
    for layer in layers:
        for weight in layer.parameters():
            if weight.ndim > 1:
                nn.init.kaiming_normal_(weight, nonlinearity="relu")
            else:
                nn.init.zeros_(weight)


def channels_last(module: nn.Module) -> None:
    """Lays the weights of convolutions out with their channels last, in 2D and 3D: the same
    numbers, and on most processors and cards a faster step."""
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    for weight in module.parameters():
        if weight.ndim in formats:
            weight.data = weight.data.contiguous(memory_format=formats[weight.ndim])
