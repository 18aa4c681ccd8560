"""Growth of a lesion: volume, doubling time, and what an irregular calendar does to both.

    V(t) = V₀ · 2^(t / T),   T = lag · ln 2 / ln(V₂ / V₁)

T is the volume doubling time. A solid nodule that doubles within 400 days is suspicious.
Source: MacMahon et al. 2017, doi 10.1148/radiol.2017161659.
"""

import math

import torch
from torch import Tensor

SUSPICIOUS_DAYS = 400.0
FAST_DAYS, SLOW_DAYS = (180.0, 350.0), (450.0, 850.0)
DOUBLINGS = (0.2, 3.0)
"""Of the volume from one visit to the next, at a doubling time of 400 days."""
LEAN = 0.33
"""How far fast growth shows in sizes and not in lags: 0 in lags alone, 1 in sizes alone."""
STAYS = 0.7
"""Probability that growth stays as it was in the interval before."""
MOST_DOUBLINGS = 5.5
"""In a whole course of irregular visits: from 8 mm to 29 mm, which the images can still show."""


def doubling_time(before: Tensor, after: Tensor, lag_days: Tensor) -> Tensor:
    """Volume doubling time in days from two volumes [any unit] and the days between.

    Infinite where nothing has grown.

    >>> float(doubling_time(torch.tensor(1.0), torch.tensor(2.0), torch.tensor(90.0)))
    90.0
    """
    rate = torch.log(after / before) / (math.log(2) * lag_days)
    return torch.where(rate > 0, 1 / rate.clamp_min(1e-9), torch.inf)


def courses(
    count: int,
    visits: int,
    generator: torch.Generator,
    regular_days: float | None = None,
    last: Tensor | None = None,
) -> dict[str, Tensor]:
    """Courses of growth that change between fast and slow, with the days of the visits.

    Between two visits a nodule grows fast or slowly, and with probability `STAYS` as in the
    interval before. In irregular courses the growth in size is drawn first, wide, and a little
    larger where growth is fast; the lag follows from it. So neither size nor lag alone tells much,
    only size over lag does. With `regular_days` every lag is the same, and sizes alone tell. With
    `last` (count,), the number of each course's last visit, every second course ends in fast
    growth.

    Returns
        fast      (count, visits), 1 or 0 for the interval that ends at the visit; -1 at the first
        days      (count, visits) since the first visit
        volume    (count, visits), in units of the first visit's
    """
    drawn = torch.rand(4, count, visits, generator=generator)
    fast = torch.full((count, visits), -1.0)
    fast[:, 1] = (drawn[0, :, 1] < 0.5).float()
    for visit in range(2, visits):
        same = drawn[0, :, visit] < STAYS
        fast[:, visit] = torch.where(same, fast[:, visit - 1], 1 - fast[:, visit - 1])
    if last is not None:  # fast and slow are drawn alike, so all of a course may be turned round
        wrong = fast.gather(1, last[:, None]) != (torch.arange(count) % 2)[:, None]
        fast = torch.where(wrong & (fast >= 0), 1 - fast, fast)
    lowest, highest = (
        torch.where(fast > 0, quick, slow) for quick, slow in zip(FAST_DAYS, SLOW_DAYS, strict=True)
    )
    time = _between(lowest, highest, drawn[1])
    doublings = _between(*torch.tensor(DOUBLINGS), drawn[2]) * (SUSPICIOUS_DAYS / time) ** LEAN
    if regular_days is not None:
        doublings = regular_days / time
    doublings[:, 0] = 0
    if regular_days is None:
        doublings = doublings * (MOST_DOUBLINGS / doublings.sum(1, keepdim=True)).clamp_max(1)
    return {
        "fast": fast,
        "days": (doublings * time).cumsum(1),
        "volume": 2 ** doublings.cumsum(1),
    }


def _between(lowest: Tensor, highest: Tensor, share: Tensor) -> Tensor:
    """Evenly spread in the logarithm: `share` (0 to 1) of the way from lowest to highest."""
    return lowest * (highest / lowest) ** share
