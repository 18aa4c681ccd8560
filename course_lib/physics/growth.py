"""Growth of a lesion: volume, doubling time, and what an irregular calendar does to both.

    V(t) = V₀ · 2^(t / T),   T = lag · ln 2 / ln(V₂ / V₁)

T is the volume doubling time. A solid nodule that doubles within 400 days is suspicious.
Source: MacMahon et al. 2017, doi 10.1148/radiol.2017161659.
"""

import math

import torch
from torch import Tensor

SUSPICIOUS_DAYS = 400.0
FAST_DAYS, SLOW_DAYS = (150.0, 350.0), (450.0, 1050.0)
DOUBLINGS = (0.3, 1.2)
"""Of the volume from one visit to the next, the same for fast and for slow growth."""


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

    Between two visits a nodule grows fast or slowly, and with probability 0.8 as in the interval
    before. In irregular courses the growth in size is drawn alike for both kinds, and the lag
    follows from it: sizes tell nothing, only sizes together with dates do. With `regular_days`
    every lag is the same, and sizes alone tell. With `last` (count,), the number of each course's
    last visit, every second course ends in fast growth.

    Returns
        fast      (count, visits), 1 or 0 for the interval that ends at the visit; -1 at the first
        days      (count, visits) since the first visit
        volume    (count, visits), in units of the first visit's
    """
    drawn = torch.rand(4, count, visits, generator=generator)
    fast = torch.full((count, visits), -1.0)
    fast[:, 1] = (drawn[0, :, 1] < 0.5).float()
    for visit in range(2, visits):
        same = drawn[0, :, visit] < 0.8
        fast[:, visit] = torch.where(same, fast[:, visit - 1], 1 - fast[:, visit - 1])
    if last is not None:  # fast and slow are drawn alike, so all of a course may be turned round
        wrong = fast.gather(1, last[:, None]) != (torch.arange(count) % 2)[:, None]
        fast = torch.where(wrong & (fast >= 0), 1 - fast, fast)
    low, high = (
        torch.where(fast > 0, quick, slow) for quick, slow in zip(FAST_DAYS, SLOW_DAYS, strict=True)
    )
    time = low + (high - low) * drawn[1]
    doublings = DOUBLINGS[0] + (DOUBLINGS[1] - DOUBLINGS[0]) * drawn[2]
    if regular_days is not None:
        doublings = regular_days / time
    lag = doublings * time
    lag[:, 0] = doublings[:, 0] = 0
    return {"fast": fast, "days": lag.cumsum(1), "volume": 2 ** doublings.cumsum(1)}
