"""Pose by search: DRRs are rendered until one looks like the X-ray.

    max over pose of  NCC(DRR(pose), X-ray)

The classical way of 2D/3D registration by intensity, here with the gradient of the renderer: Adam,
from the first guess. X-ray pictures (N, 1, H, W) → poses (N, 6) in degrees and mm. The step is
chosen on validation poses.

Penney, Weese, Little, Desmedt, Hill & Hawkes 1998, A comparison of similarity measures for use in
2-D-3-D medical image registration, IEEE TMI 17(4):586-595, doi 10.1109/42.730403; the gradient:
Gopalakrishnan & Golland 2022, Fast auto-differentiable DRRs, arXiv:2208.12737.
"""

from typing import ClassVar

import torch
from torch import Tensor

from course_lib.cases import Batch
from course_lib.methods.base import Classical
from course_lib.parts.registration.fields import standardised
from course_lib.parts.registration.pose import drr_of


class PoseSearch(Classical):
    """`rate`: the first step, in degrees and mm."""

    rate: float = 1.0
    steps: int = 60
    grid: ClassVar = ({"rate": 0.5}, {"rate": 1.0}, {"rate": 2.0})

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """The best pose that was met on the way."""
        wanted, pose = standardised(batch["xray"]), batch["start_pose"].clone()
        best, found = torch.full_like(pose[:, 0], -torch.inf), pose.clone()
        with torch.enable_grad():
            pose.requires_grad_()
            optimiser = torch.optim.Adam([pose], lr=self.rate)
            for step in range(self.steps):
                optimiser.param_groups[0]["lr"] = self.rate * (1 - 0.9 * step / self.steps)
                seen = standardised(drr_of(batch, pose, self.facts))
                alike = (seen * wanted).flatten(1).mean(1)
                better = alike.detach() > best
                best = torch.where(better, alike.detach(), best)
                found = torch.where(better[:, None], pose.detach(), found)
                (pose.grad,) = torch.autograd.grad(-alike.sum(), [pose])
                optimiser.step()
        return {"pose": found}
