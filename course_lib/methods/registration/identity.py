"""No registration at all: what a method must improve on.

A displacement of zero, (N, d, *spatial) voxels, or the pose from which the search would start.
"""

import torch
from torch import Tensor

from course_lib.cases import Batch
from course_lib.methods.base import Classical


class Identity(Classical):
    """Pairs (N, 1, *spatial), or X-ray pictures (N, 1, H, W) with a first guess of the pose."""

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Leaves everything where it is."""
        if "camera" in self.facts:
            return {"pose": batch["start_pose"].clone()}
        fixed = batch["fixed"]
        field = torch.zeros(len(fixed), fixed.ndim - 2, *fixed.shape[2:], device=fixed.device)
        return {"forward": field, "backward": field.clone()}
