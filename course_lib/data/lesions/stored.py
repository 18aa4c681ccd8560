"""Nodules that readers called rather benign or rather malignant, split by patient.

Placing and rendering a nodule takes about 0.05 s of a processor, reading the outlines of all some
seconds: patches are worked out once and then read from the cache.
"""

import zlib
from functools import lru_cache

import numpy as np
import torch

from course_lib.cases import Cases
from course_lib.data import derived
from course_lib.data.lesions.patches import nodule_patches
from course_lib.data.lesions.shapes import nodules
from course_lib.data.sets.lidc import Annotation, Nodule
from course_lib.errors import CourseError

LARGEST_MM = 30.0  # beyond it is called a mass
SHARES = {"train": 0.5, "validation": 0.15, "test": 0.35}


def rated_nodules(part: str, count: int, size: int) -> Cases:
    """Patches (see `nodule_patches`) of nodules whose mean malignancy is not exactly 3.

    The patients are split once and for all. Of a training patient all nodules may be used, of any
    other patient one. Test nodules lie in the right lung, all others in the left.

    Arguments:
        part: `train`, `validation` or `test`.
        count: how many; fewer if the part's patients have not so many.
        size: pixels along y and x.
    Raises CourseError for an unknown part.
    """
    if part not in SHARES:
        raise CourseError(f"There is no part {part!r}; there are: {', '.join(SHARES)}.")
    arrays = derived.kept(
        f"nodules/{part}-{count}x{size}",
        lambda: _arrays(part, count, size),
        __name__,
    )
    tensors = {key[7:]: value for key, value in arrays.items() if key.startswith("tensor_")}
    return Cases(
        tensors={
            key: torch.from_numpy(v.astype("float32") if v.dtype == np.int16 else v)
            for key, v in tensors.items()
        },
        case=arrays["case"].tolist(),
        subject=arrays["subject"].tolist(),
        group=arrays["group"].tolist(),
        spacing_mm=torch.from_numpy(arrays["spacing_mm"]),
        provenance=dict(arrays["provenance"].tolist()),
    )


def _arrays(part: str, count: int, size: int) -> dict[str, np.ndarray]:
    own, lung = split()[part], "right" if part == "test" else "left"
    seed = zlib.crc32(part.encode())
    made = nodule_patches(min(count, len(own)), size, seed, lung=lung, among=own)
    if part != "train":  # where some fit nowhere, others would have come twice
        first = {name: k for k, name in reversed(list(enumerate(made.subject)))}
        made = made.subset(sorted(first.values()))
    return {
        "case": np.array(list(made.case)),
        "subject": np.array(list(made.subject)),
        "group": np.array(list(made.group)),
        "spacing_mm": made.spacing_mm.numpy(),
        "provenance": np.array(list(made.provenance.items())),
        **{f"tensor_{k}": _small(v.numpy(), k) for k, v in made.tensors.items()},
    }


@lru_cache(maxsize=1)
def split() -> dict[str, list[Nodule]]:
    """Part → its nodules: all of a training patient, one of each other patient."""
    by_patient: dict[str, list[Nodule]] = {}
    for nodule in nodules():
        small = all(_below(one, LARGEST_MM) for one in nodule.annotations)
        if small and abs(malignancy(nodule) - 3) > 1e-6:
            by_patient.setdefault(nodule.patient, []).append(nodule)
    names = sorted(by_patient)
    order = torch.randperm(len(names), generator=torch.Generator().manual_seed(41)).tolist()
    parts: dict[str, list[Nodule]] = {}
    start = 0
    for part, share in SHARES.items():
        stop = len(names) if part == "test" else start + round(share * len(names))
        own = [by_patient[names[k]] for k in order[start:stop]]
        own = own if part == "train" else [found[:1] for found in own]
        parts[part] = [nodule for found in own for nodule in found]
        start = stop
    return parts


def _below(one: Annotation, limit: float) -> bool:
    """Whether an outline's diameter is below the limit; its box is asked first, which is quick."""
    box = np.ptp(one.bounds_mm[:, 1:], axis=0)
    return bool(np.hypot(*box) < limit) or one.diameter_mm < limit


def malignancy(nodule: Nodule) -> float:
    """The mean of its readers' ratings, 1 (highly unlikely) to 5 (highly suspicious)."""
    rated = [one.ratings["malignancy"] for one in nodule.annotations]
    return sum(rated) / len(rated)


def _small(values: np.ndarray, name: str) -> np.ndarray:
    """Hounsfield units as whole numbers, which is what a scanner gives too."""
    return np.round(values).astype(np.int16) if name in ("image", "background") else values
