"""Digitally reconstructed radiographs: the X-ray picture a CT volume would give, from any pose.

A source sends a cone of rays through the volume onto a flat detector. A pose moves the volume in
front of them:  p_camera = R p_volume + t. Every ray is sampled at equal steps, and the line
integral is the sum of attenuation times step. Volumes (N, 1, Z, Y, X) are in 1/mm, all points in
mm and in the order (z, y, x), with the origin in the middle of the volume.

The camera looks along y, from the chest to the back: source at y = -source_mm, detector at
y = detector_mm. A picture's rows run from head to feet (against z), its columns along x.

A pose is (rotation about z, y, x in degrees; shift along z, y, x in mm), (N, 6). R turns about z
first, then x, then y. So rotation 1 and shifts 3 and 5 stay in the picture's plane, rotations 0
and 2 leave it, and shift 4 is the depth.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from course_lib.errors import CourseError
from course_lib.physics import fields

IN_PLANE, OUT_OF_PLANE, DEPTH = (1, 3, 5), (0, 2), (4,)
"""The parameters of a pose, from easily seen to hardly seen in a picture."""


@dataclass(frozen=True)
class Camera:
    """X-ray source and detector.

    Arguments:
        pixels: detector pixels along a side. pixel_mm: their side.
        source_mm, detector_mm: distances of source and detector from the origin.
        reach_mm: rays are followed so far to either side of the origin.
        samples: points along a ray.
    """

    pixels: int = 64
    pixel_mm: float = 8.0
    source_mm: float = 800.0
    detector_mm: float = 300.0
    reach_mm: float = 250.0
    samples: int = 100

    @property
    def origin(self) -> tuple[float, float, float]:
        """Where the source is."""
        return (0.0, -self.source_mm, 0.0)

    def rays(self, device: torch.device | str = "cpu") -> Tensor:
        """Unit vectors (3, H, W) from the source to every detector pixel."""
        line = (torch.arange(self.pixels, device=device) - (self.pixels - 1) / 2) * self.pixel_mm
        down, across = torch.meshgrid(-line, line, indexing="ij")
        ahead = torch.full_like(down, self.source_mm + self.detector_mm)
        towards = torch.stack([down, ahead, across])
        return towards / towards.norm(dim=0)

    def shadow(self, points: Tensor) -> Tensor:
        """Where points (N, K, 3) mm of the camera's frame are seen: (N, K, 2) rows, columns."""
        scale = (self.source_mm + self.detector_mm) / (points[..., 1] + self.source_mm)
        rows, columns = -points[..., 0] * scale, points[..., 2] * scale
        return torch.stack([rows, columns], -1) / self.pixel_mm + (self.pixels - 1) / 2


def rotation(pose: Tensor) -> Tensor:
    """The rotation matrices (N, 3, 3) of poses (N, 6), acting on (z, y, x)."""
    angle = torch.deg2rad(pose[:, :3])
    cosine, sine = angle.cos(), angle.sin()
    zero, one = torch.zeros_like(cosine[:, 0]), torch.ones_like(cosine[:, 0])

    def matrix(*rows: tuple) -> Tensor:
        return torch.stack([torch.stack(row, -1) for row in rows], -2)

    (cz, cy, cx), (sz, sy, sx) = cosine.unbind(1), sine.unbind(1)
    about_z = matrix((one, zero, zero), (zero, cz, sz), (zero, -sz, cz))
    about_y = matrix((cy, zero, -sy), (zero, one, zero), (sy, zero, cy))
    about_x = matrix((cx, sx, zero), (-sx, cx, zero), (zero, zero, one))
    return about_y @ about_x @ about_z


def place(points: Tensor, pose: Tensor) -> Tensor:
    """Points (N, K, 3) mm of the volume in the camera's frame, at poses (N, 6)."""
    return points @ rotation(pose).mT + pose[:, None, 3:]


def project(
    volume: Tensor,
    spacing_mm: Sequence[float] | Tensor,
    pose: Tensor,
    camera: Camera,
) -> Tensor:
    """Line integrals of the volume at each pose, differentiable in volume and pose.

        p(pixel) = Σ μ(Rᵀ (source + s · ray - t)) Δs

    Arguments:
        volume: (N, 1, Z, Y, X) or (1, 1, Z, Y, X), 1/mm; outside it there is air.
        spacing_mm: (3,) in the order z, y, x.
        pose: (N, 6), see the module.
    Returns (N, 1, H, W), no unit. Raises CourseError when shapes do not fit.
    Source: Siddon 1985, doi 10.1118/1.595715 (the exact ray); sampled as in trilinear ray casting.
    """
    if volume.ndim != 5 or pose.ndim != 2 or pose.shape[1] != 6:
        raise CourseError(
            f"A volume (N, 1, Z, Y, X) and poses (N, 6) were expected, got {tuple(volume.shape)} "
            f"and {tuple(pose.shape)}."
        )
    if len(volume) not in (1, len(pose)):
        raise CourseError(f"{len(volume)} volumes cannot be seen from {len(pose)} poses.")
    step = 2 * camera.reach_mm / camera.samples
    travelled = (
        camera.source_mm
        - camera.reach_mm
        + step * (torch.arange(camera.samples, device=pose.device, dtype=pose.dtype) + 0.5)
    )
    rays = camera.rays(pose.device).to(pose.dtype)
    turned = rotation(pose)
    start = torch.tensor(camera.origin, device=pose.device, dtype=pose.dtype) - pose[:, 3:]
    # Rᵀ (source - t) + s Rᵀ ray: turning rays is cheaper than turning all points on them.
    start = torch.einsum("nji,nj->ni", turned, start)
    direction = torch.einsum("nji,jhw->nihw", turned, rays)
    spacing = torch.as_tensor(spacing_mm, device=pose.device, dtype=pose.dtype)
    middle = (torch.tensor(volume.shape[2:], device=pose.device, dtype=pose.dtype) - 1) / 2
    start, direction = start / spacing + middle, direction / spacing[:, None, None]
    positions = start[:, :, None, None, None] + travelled[:, None, None] * direction[:, :, None]
    seen = fields.look_up(volume.expand(len(pose), -1, -1, -1, -1), positions, padding="zeros")
    return seen.sum(2) * step
