"""The plain shapes into which the user's own data are read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from course_lib.data.own.tables import listed, readable
from course_lib.data.volume import Head, Volume


@dataclass(frozen=True)
class LeftOut:
    """What lies at the path and is not used, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class OwnData:
    """What all share.

    Arguments:
        source: where it came from.
        provenance: in words whose pixels they are.
        given: name of an item (or of a subject) → its part, where the owner gives a split.
        left_out: what is not used.
        notes: sentences on how the data were understood.
        also: the same data seen otherwise, for questions that do not ask about all of it: pictures
            with masks are pictures too.
    """

    what: ClassVar[str] = "data"
    source: Path
    provenance: str
    licence: str
    given: dict[str, str] = field(default_factory=dict, kw_only=True)
    left_out: tuple[LeftOut, ...] = field(default=(), kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)
    also: tuple["OwnData", ...] = field(default=(), kw_only=True)

    def told(self) -> tuple[str, ...]:
        """The notes, and what was left out and why, cases of one reason in one sentence."""
        reasons: dict[str, list[str]] = {}
        for one in self.left_out:
            reasons.setdefault(one.why, []).append(one.name)
        left = (f"Left out: {listed(names)}: {why}." for why, names in reasons.items())
        return tuple(
            readable(sentence)
            for sentence in (*self.notes, *(one.replace("..", ".") for one in left))
        )


@dataclass(frozen=True)
class Labelled(OwnData):
    """Labelled images with their split, the owner's or one by subject.

    images: 'train', 'validation', 'test' → float32 (C, y, x) or (C, z, y, x) in 0 … 1 each, decoded
    when asked for; with a `shape` (n, C, …) where all are of one size.
    labels: part → int64 (n,), or (n, classes) of 0 and 1 where several may hold.
    subjects: part → whom each is of. names: part → a name for each image, empty: the subject's.
    MedMNIST names no patients: each image counts as one. published: the name of the published set
    that it is.
    """

    what: ClassVar[str] = "labelled images (MedMNIST, a folder for each class, a CSV of labels)"
    images: Mapping[str, Sequence[np.ndarray]]
    labels: dict[str, np.ndarray]
    classes: tuple[str, ...]
    subjects: dict[str, list[str]]
    names: dict[str, list[str]] = field(default_factory=dict)
    published: str = ""


@dataclass(frozen=True)
class Scans(OwnData):
    """Volumes in LPS order with spacing, one or more per subject.

    volumes[i].labels: name → array on the same grid: 'label' for a map of whole numbers, 'target'
    for another contrast. names: label number → structure, empty where none are given. Volumes may
    be read anew each time that one is taken: ask `heads` for what is known without their voxels.
    """

    what: ClassVar[str] = "volumes (NIfTI, NRRD, DICOM or Decathlon)"
    volumes: Sequence[Volume]
    names: dict[int, str] = field(default_factory=dict)

    @property
    def heads(self) -> tuple[Head, ...]:
        """Each volume without its voxels."""
        known = getattr(self.volumes, "heads", None)
        return tuple(volume.head for volume in self.volumes) if known is None else known


@dataclass(frozen=True)
class Boxed(OwnData):
    """Pictures with boxes.

    images: decoded when asked for, float32 (C, y, x) in 0 … 1 each. boxes: float32 (k, 4) each, in
    pixels (top, left, bottom, right). labels: int64 (k,) each, numbers into `classes`. subjects:
    whom each is of.
    """

    what: ClassVar[str] = "pictures with boxes (COCO, Pascal VOC, YOLO)"
    images: Sequence[np.ndarray]
    boxes: tuple[np.ndarray, ...]
    labels: tuple[np.ndarray, ...]
    classes: tuple[str, ...]
    names: tuple[str, ...]
    subjects: tuple[str, ...]


@dataclass(frozen=True)
class Masked(OwnData):
    """Pictures with masks.

    images: float32 (C, y, x) in 0 … 1 each, C 1 or 3. masks: uint8 (y, x) each, 0 where nothing is,
    else 1 + a number into `structures`. Both are decoded when asked for. shapes: rows and columns
    of each. subjects: whom each is of.
    """

    what: ClassVar[str] = "pictures with masks"
    images: Sequence[np.ndarray]
    masks: Sequence[np.ndarray]
    shapes: tuple[tuple[int, int], ...]
    structures: tuple[str, ...]
    names: tuple[str, ...]
    subjects: tuple[str, ...]


@dataclass(frozen=True)
class Pictures(OwnData):
    """Grey pictures. images: float32 (y, x) in 0 … 1 each, decoded when asked for. names: file
    stems. subjects: whom each is of."""

    what: ClassVar[str] = "2D pictures"
    images: Sequence[np.ndarray]
    names: tuple[str, ...]
    subjects: tuple[str, ...]
