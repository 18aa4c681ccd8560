"""Noise as a map: what pointing blindly is worth.

Every pixel of an image (N, 1, H, W) gets an independent number between 0 and 1. It hits a nodule as
often as the nodule is large. It has no classifier: every probability is one half.
"""

import torch
from torch import Tensor

from course_lib.cases import Batch
from course_lib.methods.base import Classical
from course_lib.parts.frontier.reader import two


class RandomMap(Classical):
    """A map of noise, drawn from the image's own numbers, so that it can be repeated."""

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Another map for every image, and an independent one for "other weights"."""
        image = batch["image"]
        heat = torch.empty_like(image)
        other = torch.empty_like(image)
        for k, one in enumerate(image):
            seed = int(one.double().abs().sum() * 1000) % 2**31
            generator = torch.Generator().manual_seed(seed)
            heat[k] = torch.rand(one.shape, generator=generator)
            other[k] = torch.rand(one.shape, generator=generator)
        half = torch.full((len(image),), 0.5, device=image.device)
        return {"probability": two(half), "map": heat, "randomised": other}
