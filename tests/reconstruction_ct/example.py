"""CT as a user would bring it, and a phantom in a scanner."""

from pathlib import Path

import numpy as np
from torch import Tensor

from course_lib.data.own import Scans
from course_lib.data.volume import Volume
from course_lib.parts.scanner import Scanner
from course_lib.physics import ct, phantoms
from course_lib.tasks.base import Splits
from course_lib.tasks.reconstruction_ct import own


def scans(count: int = 4, unit: str = "HU") -> Scans:
    """Boxes of soft tissue in air, 4 mm a pixel: 432 mm wide, more than the scanner's field."""
    draw, volumes = np.random.default_rng(0), []
    for k in range(count):
        image = np.full((6, 108, 108), -900, np.float32)
        image[:, 9:-9, 9:-9] = draw.normal(0, 50, (6, 90, 90))
        volumes.append(Volume(image, (3.0, 4.0, 4.0), f"p{k}", unit, (0.0, 0.0, 0.0)))
    return Scans(Path("mine"), "measured", "mine", tuple(volumes))


def own_splits() -> Splits:
    """What the question makes of them."""
    return own.own_cases(scans(), "smoke", 0)


def phantom(size: int) -> Tensor:
    """Shepp and Logan's head as relative attenuation, (1, 1, size, size)."""
    return phantoms.rasterise(phantoms.shepp_logan(), size).float().reshape(1, 1, size, size)


def complete_scan(size: int = 64, views: int = 180) -> tuple[Scanner, Tensor, Tensor]:
    """A scanner, the phantom, and its sinogram without noise."""
    image = phantom(size)
    scan = Scanner(ct.ParallelBeam(size, views, 1.0))
    return scan, image, scan(image)
