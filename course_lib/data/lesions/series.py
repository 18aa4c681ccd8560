"""Follow-up of nodules: the same lung at several visits, with a nodule that grows between them.

The outline is a real nodule's largest cross-section, the lung is real; the growth, the dates, the
nodule's CT numbers and each visit's small shift and noise are simulated.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.data.lesions.grounds import Ground
from course_lib.data.lesions.insert import GROUND_GLASS_HU, SOLID_HU
from course_lib.data.lesions.slices import Drawer
from course_lib.physics import growth

SIZE, VISITS = 32, (3, 6)
FIRST_MM = (5.0, 8.0)
NOISE_HU = 25.0
CLEAR_MM = 7.0


def nodule_series(
    grounds: tuple[Ground, ...],
    rows: tuple[range, ...],
    drawer: Drawer,
    count: int,
    generator: torch.Generator,
    regular_days: float | None = None,
) -> dict[str, Tensor]:
    """Series of 3 to 6 visits, 32 x 32 pixels of 1 mm around the nodule; half end in fast growth.

    Arguments:
        grounds, rows: patients, and of each the slices that may be used.
        drawer: gives the nodules.
        regular_days: the lag between visits; None for irregular ones (see `growth.courses`).
    Returns
        series    (count, 6, 1, 32, 32) HU; zeros after the last visit
        days      (count, 6) since the first visit
        growth    (count, 6): 1 fast, 0 slow, in the interval that ends here; -1 where unknown
        visits    (count,) how many there are
        nodules, ground   (count,) LIDC patient and number of the lung
    """
    visits = torch.randint(VISITS[0], VISITS[1] + 1, (count,), generator=generator)
    course = growth.courses(count, VISITS[1], generator, regular_days, visits - 1)
    first = FIRST_MM[0] + (FIRST_MM[1] - FIRST_MM[0]) * torch.rand(count, generator=generator)
    which = torch.randint(len(grounds), (count,), generator=generator)
    places = [_clear(ground, own) for ground, own in zip(grounds, rows, strict=True)]
    levels, solid, patients, lungs = [], [], [], []
    for k in range(count):
        nodule, form = drawer()
        levels.append(_cross_section(form))
        solid.append((nodule.ratings["texture"] - 1) / 4)
        patients.append(int(nodule.patient[-4:]))
        lungs.append(_lung(grounds[which[k]], places[which[k]], generator))
    diameter = first[:, None] * course["volume"] ** (1 / 3)
    images = _grown(
        torch.stack(levels), torch.tensor(solid), diameter, torch.stack(lungs), generator
    )
    there = torch.arange(VISITS[1]) < visits[:, None]
    return {
        "series": torch.where(there[:, :, None, None, None], images, 0.0),
        "days": torch.where(there, course["days"], 0.0),
        "growth": torch.where(there, course["fast"], -1.0),
        "visits": visits,
        "nodules": torch.tensor(patients),
        "ground": which,
    }


def _cross_section(form, pixels: int = 48) -> Tensor:
    """The level function of the largest cross-section, (48, 48), in units of its own radius: one
    pixel is 1/12 of the radius of the disc of the same area."""
    area = (form.level > 0).sum((1, 2))
    plane = torch.from_numpy(form.level[int(area.argmax())])
    radius = float(area.max() / np.pi) ** 0.5  # pixels of the shape's own grid
    inside = torch.nonzero(plane > 0).float().mean(0)
    step = (torch.arange(pixels) - (pixels - 1) / 2) / 12 * radius
    size = torch.tensor(plane.shape)
    y, x = (
        2 * (middle + step + 0.5) / extent - 1 for middle, extent in zip(inside, size, strict=True)
    )
    grid = torch.stack([x[None].expand(pixels, -1), y[:, None].expand(-1, pixels)], -1)[None]
    level = F.grid_sample(plane[None, None].float(), grid.float(), "bilinear", "border", False)
    return level[0, 0] / (radius * form.spacing_mm[1])


def _clear(ground: Ground, rows: range) -> np.ndarray:
    """Voxels (k, 3) of some slices that are clear of wall, larger vessels and the scan's edge."""
    voxels, half = ground.voxels, SIZE // 2 + 4
    height, width = ground.lung.shape[1:]
    fits = (ground.wall_mm > CLEAR_MM) & (ground.vessel_mm > CLEAR_MM / 2)
    fits &= np.isin(voxels[:, 0], list(rows))
    fits &= (voxels[:, 1] >= half) & (voxels[:, 1] < height - half)
    fits &= (voxels[:, 2] >= half) & (voxels[:, 2] < width - half)
    return voxels[fits].astype(int)


def _lung(ground: Ground, places: np.ndarray, generator: torch.Generator) -> Tensor:
    """The lung around one of the places, (40, 40) HU."""
    half = SIZE // 2 + 4
    z, y, x = places[int(torch.randint(len(places), (1,), generator=generator))].tolist()
    piece = ground.volume.image[z, y - half : y + half, x - half : x + half]
    return torch.from_numpy(piece.copy())


def _grown(
    level: Tensor, solid: Tensor, diameter: Tensor, lung: Tensor, generator: torch.Generator
) -> Tensor:
    """Images (N, T, 1, 32, 32) HU of shapes (N, 48, 48), diameters (N, T) mm, lungs (N, 40, 40).

    Each visit is shifted by up to two pixels, as scans never lie quite the same.
    """
    count, visits = diameter.shape
    shift = (4 * torch.rand(count, visits, 2, generator=generator) - 2).flatten(0, 1)
    place = torch.arange(SIZE) - (SIZE - 1) / 2
    y, x = (place + shift[:, k : k + 1] for k in (0, 1))  # (N T, 32) mm from the nodule's middle

    def sampled(image: Tensor, per_mm: Tensor) -> Tensor:
        side = image.shape[-1]
        rows, columns = (2 * axis * per_mm[:, None] / side for axis in (y, x))
        grid = torch.stack(
            [columns[:, None].expand(-1, SIZE, -1), rows[:, :, None].expand(-1, -1, SIZE)], -1
        )
        image = image.repeat_interleave(visits, 0)[:, None]
        return F.grid_sample(image, grid, "bilinear", "border", False)[:, 0]

    radius = diameter.flatten() / 2
    height = sampled(level, 12 / radius) * radius[:, None, None]  # mm inside the surface
    opacity = torch.sigmoid(height / 0.5)
    ground = sampled(lung, torch.ones(count * visits))
    density = GROUND_GLASS_HU + solid * (SOLID_HU - GROUND_GLASS_HU)
    density = density.repeat_interleave(visits)[:, None, None]
    image = ground + opacity * (density - ground).clamp_min(0)
    image = image + NOISE_HU * torch.randn(image.shape, generator=generator)
    return image.unflatten(0, (count, visits))[:, :, None]
