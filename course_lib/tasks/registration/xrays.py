"""X-ray pictures of a real chest CT from known poses.

The picture comes from a finer volume than the one a method may render, with photons counted: no
pose makes a method's own rendering equal to it. What was measured are the HU of one patient; what
is simulated are pose, picture and noise.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Cases, Facts
from course_lib.data.volume import Volume
from course_lib.physics import ct, drr

LANDMARK_ORGANS = (
    "vertebrae_T4", "vertebrae_T7", "vertebrae_T10", "heart", "sternum", "trachea",
    "clavicula_left", "clavicula_right", "scapula_left", "scapula_right",
    "rib_left_3", "rib_right_3", "rib_left_6", "rib_right_6", "rib_left_9", "rib_right_9",
)  # fmt: skip
ZONE = torch.tensor([8.0, 8.0, 8.0, 15.0, 20.0, 15.0])
"""True poses lie within ± this: one zone around the view from the front (degrees, mm)."""
CAPTURE = torch.tensor([8.0, 8.0, 8.0, 15.0, 30.0, 15.0])
"""A registration starts within ± this of the true pose."""
PHOTONS = 3e4


@dataclass(frozen=True)
class Patient:
    """Attenuation (1, 1, Z, Y, X) in 1/mm on `fine` and `coarse` voxels, the voxels' sizes (3,) in
    mm, and the centres of labelled organs and bones (K, 3) in mm from the volume's middle."""

    fine: Tensor
    fine_mm: Tensor
    coarse: Tensor
    coarse_mm: Tensor
    landmarks: Tensor


@lru_cache(maxsize=2)
def patient(voxel_mm: float) -> Patient:
    """The patient of `chest_ct` on voxels of about `voxel_mm`, and on twice finer ones."""
    from course_lib.data.sets import chest_ct

    scan = chest_ct.load()
    image = torch.from_numpy(scan.image).float().clamp_min(-1000)[:, None]
    extent = torch.tensor(scan.spacing_mm) * torch.tensor(scan.image.shape)
    size = (extent / voxel_mm).round().int().tolist()
    twice = [2 * count for count in size]
    # First in the slices, then across them: never the whole scan twice in memory.
    flat = F.interpolate(image, size=twice[1:], mode="area")
    fine = F.interpolate(flat.transpose(0, 1)[None], size=twice, mode="trilinear")
    coarse = F.avg_pool3d(fine, 2)
    return Patient(
        ct.hu_to_attenuation(fine),
        extent / torch.tensor(twice),
        ct.hu_to_attenuation(coarse),
        extent / torch.tensor(size),
        _centres(scan, chest_ct.organ_names()),
    )


def _centres(scan: Volume, names: dict[int, str]) -> Tensor:
    numbers = {name: number for number, name in names.items()}
    thin = scan.labels["organs"][:, ::4, ::4]  # a centre needs no more
    middle = (np.array(scan.image.shape) - 1) / 2
    found = []
    for name in LANDMARK_ORGANS:
        voxels = np.argwhere(thin == numbers[name])
        if len(voxels):
            centre = voxels.mean(0) * (1, 4, 4) + (0, 1.5, 1.5) - middle
            found.append(centre * np.array(scan.spacing_mm))
    return torch.tensor(np.array(found), dtype=torch.float32)


def poses(
    count: int,
    camera: drr.Camera,
    voxel_mm: float,
    generator: torch.Generator,
    group: str,
    part: str,
) -> Cases:
    """`count` pictures of the chest from random poses.

    Returns Cases with `xray` (N, 1, H, W) line integrals with noise, `true_pose` and `start_pose`
    (N, 6), what a method may use of the patient (`volume` (N, 1, Z, Y, X) in 1/mm) and `points`
    (N, K, 3) mm.
    """
    known = patient(voxel_mm)
    draw = 2 * torch.rand(2, count, 6, generator=generator) - 1
    true = draw[0] * ZONE
    start = true + draw[1] * CAPTURE
    exact = replace(camera, samples=2 * camera.samples)
    clean = torch.cat([drr.project(known.fine, known.fine_mm, pose[None], exact) for pose in true])
    counted = torch.poisson(PHOTONS * torch.exp(-clean), generator=generator).clamp_min(1)
    return Cases(
        tensors={
            "xray": -torch.log(counted / PHOTONS),
            "true_pose": true,
            "start_pose": start,
            "volume": known.coarse.expand(count, -1, -1, -1, -1),
            "points": known.landmarks.expand(count, -1, -1).contiguous(),
        },
        case=[f"LIDC-IDRI-0001/{part}/pose-{k:04d}" for k in range(count)],
        subject=["LIDC-IDRI-0001"] * count,
        group=[group] * count,
        spacing_mm=torch.full((count, 2), camera.pixel_mm),
        provenance={
            "xray": "simulated from measured HU, with counted photons",
            "volume": "measured HU on a coarser grid",
            "true_pose": "simulated",
        },
        facts=Facts(dims=2, channels=1, camera=camera, voxel_mm=tuple(known.coarse_mm.tolist())),
    )
