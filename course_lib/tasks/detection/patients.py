"""Whose lungs and whose nodules: what the questions about nodules in lungs share.

Nodule patients are split once, by a hash of their names. Lungs: the training patient's scan gives
blocks of slices with gaps of 10 mm, whose last is reported apart as of the same patient; four
others are only tested on.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib.cases import Cases, join, subject_split
from course_lib.tasks.base import Metric, Splits

if TYPE_CHECKING:
    from course_lib.data.lesions.grounds import Ground
    from course_lib.data.lesions.slices import Drawer

WINDOW = (-1000.0, 400.0)
OTHER_PATIENTS, SAME_PATIENT = "other patients", "same patient, held-out block"
TRAIN_ROWS = (*range(8, 62), *range(96, 126))
VALIDATION_ROWS, TEST_ROWS = range(66, 74), range(78, 92)
LIDC = ("chest_ct", "lidc_annotations")


@dataclass(frozen=True)
class Size:
    """Cases: for training, validation, the held-out block, and of each other patient."""

    training: int
    validation: int
    block: int
    patient: int


@dataclass
class Site:
    """Where nodules go: some slices of one patient's lung, for one group of cases.

    Arguments:
        word: what tells the patient's sites apart, or the patient's own name.
        rows: the slices that may be used.
        drawer: gives the nodules. count: cases that are wanted.
    """

    word: str
    group: str
    ground: "Ground"
    rows: tuple[int, ...] | range
    drawer: "Drawer"
    count: int
    generator: torch.Generator

    @property
    def subject(self) -> str:
        """The patient whose lung it is."""
        return self.ground.volume.subject

    @property
    def place(self) -> str:
        """What the names of its cases begin with."""
        return self.subject if self.word == self.subject else f"{self.subject}/{self.word}"

    @property
    def part(self) -> Tensor:
        """(count,) the group by number, for scores: 1 for other patients, 0 for the same."""
        return torch.full((self.count,), int(self.group == OTHER_PATIENTS))


def splits(cases: Callable[[Site], Cases], size: Size, seed: int, others: bool) -> Splits:
    """The cases that `cases` makes at each site; with `others`, four more patients are tested on.

    The seed decides which nodules and where; who is in which part is fixed.
    """
    from course_lib.data.lesions import grounds, slices

    split = subject_split(list(slices.by_patient()))
    chest = grounds.chest()

    def made(part: str, word: str, group: str, ground: "Ground", rows, count: int) -> Cases:
        generator = torch.Generator().manual_seed(zlib.crc32(f"{word}/{seed}".encode()))
        drawer = slices.Drawer([p for p, side in split.items() if side == part], generator)
        return cases(Site(word, group, ground, rows, drawer, count, generator))

    tests = [
        made("test", each.volume.subject, OTHER_PATIENTS, each, _inside(each), size.patient)
        for each in (grounds.tumour_patients() if others else ())
    ]
    tests.append(made("test", "block", SAME_PATIENT, chest, TEST_ROWS, size.block))
    return Splits(
        train=made("train", "training", "training", chest, TRAIN_ROWS, size.training),
        validation=made(
            "validation", "validation", "validation", chest, VALIDATION_ROWS, size.validation
        ),
        test=join(tests),
    )


def _inside(ground: "Ground") -> range:
    """All slices of a scan but those at its ends."""
    return range(3, len(ground.lung) - 3)


def in_groups(part: Tensor, judge: Callable[[list[int]], dict[str, Tensor]]) -> dict[str, Tensor]:
    """The scores that `judge` gives to each group of cases, in the order of the cases: each group
    of test patients is a set of its own."""
    found: dict[str, Tensor] = {}
    for number in part.unique().tolist():
        chosen = (part == number).nonzero()[:, 0].tolist()
        for name, values in judge(chosen).items():
            whole = found.setdefault(name, torch.full((len(part),), torch.nan))
            whole[chosen] = values.float().cpu()
    return found


def share(text: str, of_set: str = "") -> Metric:
    """A metric in per cent, of which more is better."""
    return Metric("%", "higher", text, of_set)
