"""Series of visits as cases of the detection task, and their pictures. Not a task itself."""

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases
from course_lib.tasks.base import Panel

REGULAR_DAYS = 180.0
WINDOW = (-1000.0, 400.0)


def cases(
    ground, rows, drawer, count: int, kind: str, generator: torch.Generator, word: str, group: str
) -> Cases:
    """Series in one patient's lung; `kind`: irregular or regular. The subject is the patient of
    the nodule. There are fewer patients than series (82 for 160 in other lungs, class, seed 0), as
    nodules are drawn again once all have been: each time for another place and course."""
    from course_lib.data.lesions.series import nodule_series

    regular = REGULAR_DAYS if kind == "regular" else None
    found = nodule_series((ground,), (rows,), drawer, count, generator, regular)
    del found["ground"]
    found["part"] = torch.full((count,), int(group == "other patients"))
    subject = ground.volume.subject
    place = subject if word == subject else f"{subject}/{word}"
    return Cases(
        tensors=found,
        case=[f"{place}/{k:04d}" for k in range(count)],
        subject=[f"LIDC-IDRI-{number:04d}" for number in found["nodules"].tolist()],
        group=[group] * count,
        spacing_mm=torch.ones(count, 2),
        provenance={
            "series": "measured lung and outline; growth and density simulated",
            "days": "simulated",
            "growth": "simulated",
        },
    )


def pictures(prediction: dict[str, Tensor], batch: Batch) -> dict[str, Panel]:
    """All visits side by side. In `output` and `truth` a bar under each: as long as the
    probability of fast growth."""
    series = batch["series"][:, :, 0].clone()
    count, visits, height, width = series.shape
    later = torch.arange(visits, device=series.device) >= batch["visits"][:, None]
    series[later] = WINDOW[0]
    strip = series.permute(0, 2, 1, 3).reshape(count, height, visits * width)
    place = torch.arange(visits * width, device=series.device) % width

    def barred(values: Tensor) -> Tensor:
        long = (values.clamp_min(0) * ~later).repeat_interleave(width, 1) * width
        bar = torch.where(place < long, WINDOW[1], WINDOW[0])
        return torch.cat([strip, bar[:, None].expand(-1, 6, -1)], 1)

    known = batch["growth"] >= 0
    return {
        "input": Panel(barred(torch.zeros_like(batch["growth"])), "grey", WINDOW, "HU", True),
        "output": Panel(barred(prediction["fast"] * known), "grey", WINDOW, "HU", False),
        "truth": Panel(barred(batch["growth"]), "grey", WINDOW, "HU", True),
    }
