"""What is known of volumes before their voxels are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from course_lib.data.own.kinds import Scans
from course_lib.data.volume import Volume


@dataclass(frozen=True)
class Head:
    """A volume without its voxels.

    Arguments:
        case, subject: what tells it from all others, and whom it is of.
        shape: voxels along (z, y, x). spacing_mm: between them.
        labels: names of what lies on the same grid: `label`, `target`.
    """

    case: str
    subject: str
    shape: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    unit: str
    labels: tuple[str, ...]

    @property
    def extent_mm(self) -> tuple[float, ...]:
        """How large it is."""
        return tuple(n * mm for n, mm in zip(self.shape, self.spacing_mm, strict=True))


def heads(data: Scans) -> list[Head]:
    """The heads of all volumes: as the reader knows them, or else from one reading of each."""
    known: Sequence[Any] = getattr(data, "heads", ())
    return [_of(head) for head in known] if known else [_of(volume) for volume in data.volumes]


def _of(one: Any) -> Head:
    shape = one.image.shape if isinstance(one, Volume) else one.shape
    return Head(
        one.case, one.subject, tuple(shape), tuple(one.spacing_mm), one.unit, tuple(one.labels)
    )
