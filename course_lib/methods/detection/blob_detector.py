"""Blob detector: bright spots of many sizes, found without any learning.

The scale-normalised Laplacian of Gaussians is largest where a bright disc of radius √2·σ sits:

    score = max over σ of  -σ² ∇²(G_σ * image),    box side = 2·√2·σ·margin

Images (N, C, H, W) HU → boxes (N, 100, 4) in pixels, scores and labels (N, 100). A difference of
Gaussians may stand for the Laplacian. Vessels cut across are bright discs too: that is its fate.
Lindeberg 1998, International Journal of Computer Vision 30(2):79-116, doi 10.1023/A:1008045108935.
"""

from itertools import pairwise
from typing import ClassVar

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from course_lib.cases import Batch
from course_lib.methods.base import Classical
from course_lib.parts.detection.boxes import padded, suppress

SIGMAS = tuple(1.2 * 1.25**k for k in range(11))
"""Radii of 1.7 to 16 pixels."""


class BlobDetector(Classical):
    """`ceiling`: brighter than this HU counts as this; bone would outshine nodules. `dark`: looks
    for dark blobs. `dog`: difference of Gaussians. `margin`: side of the box over the blob's."""

    ceiling: float = 100.0
    dark: bool = False
    dog: bool = False
    margin: float = 1.0
    overlap: float = 0.2
    grid: ClassVar = tuple(
        {"ceiling": ceiling, "dark": dark, "dog": dog, "margin": margin}
        for dark, ceilings in ((False, (-300.0, 0.0, 400.0)), (True, (400.0,)))
        for ceiling in ceilings
        for dog in (False, True)
        for margin in (1.0, 1.2)
    )

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """The hundred strongest blobs of each image."""
        found = []
        for image in batch["image"].mean(1).cpu().numpy():
            boxes, scores = self._blobs(np.minimum(image, self.ceiling) * (-1 if self.dark else 1))
            boxes, scores = torch.from_numpy(boxes), torch.from_numpy(scores)
            keep = suppress(boxes, scores, self.overlap)
            found.append((boxes[keep], scores[keep], torch.zeros(len(keep), dtype=torch.long)))
        answer = padded(found)
        return {name: value.to(batch["image"].device) for name, value in answer.items()}

    def _blobs(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (k, 4) and scores (k,) of the 300 highest peaks in scale and space."""
        image = image.astype(np.float32)
        if self.dog:
            wide = [ndimage.gaussian_filter(image, s) for s in (*SIGMAS, 1.25 * SIGMAS[-1])]
            layers = [(a - b) / (1.25 - 1) for a, b in pairwise(wide)]
        else:
            layers = [-(s**2) * ndimage.gaussian_laplace(image, s) for s in SIGMAS]
        stack = np.stack(layers)
        peak = (stack == ndimage.maximum_filter(stack, 3)) & (stack > 0)
        scale, y, x = np.nonzero(peak)
        order = np.argsort(-stack[scale, y, x], kind="stable")[:300]
        scale, y, x = scale[order], y[order], x[order]
        half = self.margin * 2**0.5 * np.array(SIGMAS, np.float32)[scale]
        centre = np.stack([y, x], 1).astype(np.float32) + 0.5
        boxes = np.concatenate([centre - half[:, None], centre + half[:, None]], 1)
        return boxes, stack[scale, y, x] / 1000
