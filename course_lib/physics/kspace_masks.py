"""Which points of k-space are measured.

Every function returns float32 masks (N, 1, H, W), one where sampled, frequency zero at
(H // 2, W // 2), and samples HW / acceleration points as nearly as its pattern allows. A
`torch.Generator` on the CPU decides all chance, so masks do not depend on the device.
"""

import math

import numpy as np
import torch
from torch import Tensor

from course_lib.errors import CourseError

Size = tuple[int, int]


def cartesian_mask(
    size: Size,
    acceleration: float,
    count: int,
    generator: torch.Generator,
    centre: float = 0.08,
    regular: bool = False,
) -> Tensor:
    """Whole phase-encoding lines (columns), with a block of lines around frequency zero.

    Random lines follow a density that falls as (1 − |k|/k_max)², whose aliasing looks like noise;
    `regular` lines are evenly spaced from a random start, whose aliasing is a folded copy.

    Arguments:
        size: (H, W).
        acceleration: W over the number of lines.
        count: N masks, all different.
        centre: share of all W lines in the fixed block, at most half of the sampled lines.

    Source: Lustig, Donoho & Pauly 2007, doi 10.1002/mrm.21391 (density);
        Knoll et al. 2020, doi 10.1148/ryai.2020190007 (central block).
    """
    height, width = size
    lines = _points(width, acceleration)
    block = min(round(centre * width), max(1, lines // 2))
    first = width // 2 - block // 2
    outside = torch.cat([torch.arange(first), torch.arange(first + block, width)])
    others = lines - block
    if regular:
        start = torch.rand(count, 1, generator=generator)
        position = (torch.arange(others) + start) * len(outside) / max(others, 1)
        chosen = outside[position.long().clamp(max=len(outside) - 1)]
    else:
        distance = (outside - width // 2).abs() / (width / 2)
        chosen = outside[_draw((1 - distance).square() + 1e-3, others, count, generator)]
    columns = torch.zeros(count, width).scatter_(1, chosen, 1.0)
    columns[:, first : first + block] = 1
    return columns[:, None, None].expand(count, 1, height, width).contiguous()


def gaussian_mask(
    size: Size,
    acceleration: float,
    count: int,
    generator: torch.Generator,
    sigma: float = 0.3,
    centre: float = 0.05,
) -> Tensor:
    """Single points with Gaussian density, as in 3D imaging with two phase-encoding axes.

    Arguments:
        sigma: standard deviation of the density in units of k_max.
        centre: radius of the fully sampled disc in units of k_max.
    """
    radius = _radius(size)
    points = _points(radius.numel(), acceleration)
    density = torch.exp(-radius.square() / (2 * sigma**2)).clamp(min=1e-4)
    density[radius <= centre] = 1e4  # practically certain, unless there are too few points
    chosen = _draw(density.flatten(), points, count, generator)
    return torch.zeros(count, radius.numel()).scatter_(1, chosen, 1.0).view(count, 1, *size)


def poisson_disc_mask(
    size: Size,
    acceleration: float,
    count: int,
    generator: torch.Generator,
    growth: float = 3.0,
) -> Tensor:
    """Random points that keep a distance from each other, growing towards the edge of k-space.

    Points are visited in random order and kept if no kept point lies within r = r₀·(1 + growth·ρ),
    ρ the radius in units of k_max; r₀ is found by bisection. No clumps and no holes: aliasing is
    as even as it can be. Loops over points: about a second for 256 × 256.

    Source: Cook 1986, doi 10.1145/7529.8927; Vasanawala et al. 2011, doi 10.1109/ISBI.2011.5872579.
    """
    radius = _radius(size).numpy()
    points = _points(radius.size, acceleration)
    masks = []
    for _ in range(count):
        order = torch.randperm(radius.size, generator=generator).numpy()
        low, high = 0.0, 2 * math.sqrt(acceleration)
        for _ in range(9):
            middle = (low + high) / 2
            mask = _keep_apart(order, middle * (1 + growth * radius))
            low, high = (low, middle) if mask.sum() < points else (middle, high)
        masks.append(mask)
    return torch.from_numpy(np.stack(masks)).float()[:, None]


def radial_mask(size: Size, acceleration: float, count: int, generator: torch.Generator) -> Tensor:
    """Spokes through frequency zero, the golden angle (111.25°) apart, on the Cartesian grid.

    A gridded stand-in for true radial sampling: the streaks are right, gridding errors are absent.
    As many spokes as come nearest to HW / acceleration points; the first angle is random.

    Source: Winkelmann et al. 2007, doi 10.1109/TMI.2006.885337.
    """
    height, width = size
    points = _points(height * width, acceleration)
    along = torch.linspace(-1, 1, 2 * max(size) + 1)
    masks = []
    for start in torch.rand(count, generator=generator).tolist():
        mask = before = torch.zeros(height * width)
        while mask.sum() < points:
            angle = math.pi * start
            rows = (height // 2 + along * height / 2 * math.sin(angle)).round().long()
            columns = (width // 2 + along * width / 2 * math.cos(angle)).round().long()
            inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
            before, mask = mask, mask.clone()
            mask[rows[inside] * width + columns[inside]] = 1
            start += (math.sqrt(5) - 1) / 2
        too_many = mask.sum() - points > points - before.sum() and before.any()
        masks.append(before if too_many else mask)
    return torch.stack(masks).view(count, 1, height, width)


def _points(total: int, acceleration: float) -> int:
    if not 1 <= acceleration <= total:
        raise CourseError(f"The acceleration must lie between 1 and {total}, got {acceleration}.")
    return round(total / acceleration)


def _radius(size: Size) -> Tensor:
    """Distance from frequency zero in units of the highest frequency along each axis, (H, W)."""
    rows, columns = ((torch.arange(n) - n // 2) / (n / 2) for n in size)
    return torch.hypot(rows[:, None], columns)


def _draw(density: Tensor, points: int, count: int, generator: torch.Generator) -> Tensor:
    """Indices (count, points) without repetition, with probability in proportion to density.

    The largest of log(density) + Gumbel noise: exact, and all masks at once.
    """
    uniform = torch.rand(count, len(density), generator=generator).clamp(1e-12, 1 - 1e-7)
    return (density.log() - (-uniform.log()).log()).topk(points, dim=1).indices


def _keep_apart(order: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Points kept in this order if none kept before is nearer than its distance there, (H, W)."""
    height, width = distance.shape
    reach = int(distance.max())
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    apart = np.hypot(y, x)
    free = np.ones((height + 2 * reach, width + 2 * reach), dtype=bool)
    kept = np.zeros((height, width), dtype=bool)
    for index in order.tolist():
        row, column = divmod(index, width)
        if free[row + reach, column + reach]:
            kept[row, column] = True
            r = int(distance[row, column])
            near = apart[reach - r : reach + r + 1, reach - r : reach + r + 1]
            window = (slice(row + reach - r, row + reach + r + 1),)
            window += (slice(column + reach - r, column + reach + r + 1),)
            free[window] &= near > distance[row, column]
    return kept
