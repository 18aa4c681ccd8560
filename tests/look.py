"""Looking into networks."""

from torch import nn


def layers(module: nn.Module, *kinds: type) -> list[nn.Module]:
    """All layers of these kinds, in order."""
    return [layer for layer in module.modules() if isinstance(layer, kinds)]
