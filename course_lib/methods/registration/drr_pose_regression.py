"""Pose regression from residuals (PEHL): a network sees what is still wrong, and how to mend it.

New in the paper: the network does not see the X-ray but the difference between it and a DRR
rendered at the present pose, in small regions around anchors of the patient, wherever these are
seen. That difference hardly depends on the pose itself (pose-indexed features), and it is
regressed in a hierarchy, easy parameters first:

    in the plane (one rotation, two shifts) → out of the plane (two rotations) → depth
    pose ← pose + scale · N_group(X-ray - DRR(pose)),   a new DRR before every group

Pictures (N, 1, H, W) and volumes (N, 1, Z, Y, X) → poses (N, 6) in degrees and mm. The loss is the
mean squared error of the scaled residual, from random wrong poses around the true one; for a later
group, those before it are nearly right already. At test the hierarchy runs three times.

Shrunk: one zone of the pose space and one patient; 12 anchors on a grid in the chest; regions of
16 x 16 pixels; all pixels of about 12 mm instead of below 1 mm; 12 maps, the paper's dense layers
of 100 and 250. The regions move with the anchors, but unlike the paper's they do not turn with the
pose in the plane, nor grow with its depth. Wrong poses are drawn small as often as large, from a
twentieth of the range on, so that the last round has met what it mends.

Miao, Wang & Liao 2016, IEEE TMI 35(5):1352-1363, doi 10.1109/TMI.2016.2521800.
"""

from collections.abc import Iterable, Iterator, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Facts
from course_lib.methods.base import Method
from course_lib.parts.registration.pose import drr_of
from course_lib.physics import drr, fields

GROUPS = {"in_plane": drr.IN_PLANE, "out_of_plane": drr.OUT_OF_PLANE, "depth": drr.DEPTH}
SCALE = torch.tensor([8.0, 8.0, 8.0, 15.0, 30.0, 15.0])  # degrees and mm, the capture range
SHARE = (1.0, 0.15)  # of the range: a group not yet done, and one done before
SMALLEST = 0.05  # of these, so that small errors are met as often as large ones
ANCHORS = torch.cartesian_prod(
    torch.tensor([-110.0, -35.0, 35.0, 110.0]),
    torch.tensor([0.0]),
    torch.tensor([-90.0, 0.0, 90.0]),
)  # mm
REGION, REGION_MM = 16, 130.0


class Regressor(nn.Module):
    """Regions (N, K, 16, 16) → residuals (N, outputs), without unit. One sub-network for all
    regions: two 5x5 convolutions with pooling and a dense layer; then all together."""

    def __init__(self, outputs: int, width: int = 12) -> None:
        super().__init__()
        self.region = nn.Sequential(
            nn.Conv2d(1, width, 5, padding=2),
            nn.MaxPool2d(2),
            nn.Conv2d(width, width, 5, padding=2),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(width * (REGION // 4) ** 2, 100),
            nn.ReLU(),
        )
        self.together = nn.Sequential(
            nn.Linear(100 * len(ANCHORS), 250), nn.ReLU(), nn.Linear(250, outputs)
        )

    def forward(self, regions: Tensor) -> Tensor:
        """The residual."""
        each = self.region(regions.flatten(0, 1)[:, None])
        return self.together(each.view(len(regions), -1))


class DRRPoseRegression(Method):
    """`rounds`: how often the hierarchy runs at test."""

    learning_rate = 1e-3

    def __init__(self, rounds: int = 3) -> None:
        super().__init__()
        self.rounds = rounds

    def build(self, facts: Facts) -> None:
        """One regressor for each group of parameters."""
        self.groups = nn.ModuleDict({name: Regressor(len(own)) for name, own in GROUPS.items()})

    def players(self) -> Mapping[str, Iterable[nn.Parameter]]:
        """Each group's regressor learns by itself."""
        return {name: group.parameters() for name, group in self.groups.items()}

    def regions(self, batch: Batch, pose: Tensor) -> Tensor:
        """The residual picture around every anchor, as seen at `pose`: (N, K, 16, 16)."""
        camera = self.facts.camera
        with torch.no_grad():
            residual = batch["xray"] - drr_of(batch, pose, self.facts)
            anchors = ANCHORS.to(pose).expand(len(pose), -1, -1)
            centre = camera.shadow(drr.place(anchors, pose))
            line = torch.linspace(-0.5, 0.5, REGION, device=pose.device)
            offset = torch.stack(torch.meshgrid(line, line, indexing="ij"))
            offset = offset * REGION_MM / camera.pixel_mm
            places = centre.transpose(1, 2)[..., None, None] + offset[:, None]
            flat = places.reshape(len(pose), 2, len(ANCHORS) * REGION, REGION)
            found = fields.look_up(residual, flat, padding="zeros")
        return found.reshape(len(pose), len(ANCHORS), REGION, REGION)

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """For each group, the error of its residual from a random wrong pose."""
        true, scale = batch["true_pose"], SCALE.to(batch["true_pose"])
        done: list[int] = []
        for name, own in GROUPS.items():
            # Also nearly right poses, as the second and third round will meet.
            share = torch.full_like(scale, SHARE[0])
            share[done] = SHARE[1]
            overall = SMALLEST ** torch.rand(len(true), 1, device=true.device)
            wrong = true + overall * share * scale * (2 * torch.rand_like(true) - 1)
            wanted = ((true - wrong) / scale)[:, own]
            yield name, F.mse_loss(self.groups[name](self.regions(batch, wrong)), wanted)
            done += own

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """From the first guess, group by group, with a new DRR each time."""
        pose, scale = batch["start_pose"], SCALE.to(batch["start_pose"])
        for _ in range(self.rounds):
            for name, own in GROUPS.items():
                step = self.groups[name](self.regions(batch, pose))
                pose = pose.index_add(
                    1, torch.tensor(own, device=pose.device), step * scale[list(own)]
                )
        return {"pose": pose}
