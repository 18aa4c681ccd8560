"""Whole data sets as tensors: a case is one image, volume, pair or sequence of one subject.

`Cases` holds many of them, first axis = case, with the subject of each, so that batches are index
slices of tensors that already lie on the device and splits can be made by subject.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from course_lib.errors import CourseError

Batch = dict[str, Tensor]
PATH, UNVERIFIED = "path:", "unverified:"
PUBLIC = ("medmnist/", "msd/")


def is_public(dataset: str) -> bool:
    """Whether a data set's name is that of a public one, which is fetched by name."""
    return dataset.startswith(PUBLIC)


def is_own(dataset: str) -> bool:
    """Whether a data set is of the user's choice, read as its files lie: a path or a public one."""
    return dataset.startswith((PATH, UNVERIFIED)) or is_public(dataset)


class MissingFactError(CourseError, AttributeError):
    """A data set does not have the fact that was asked for."""


class Facts(Mapping[str, Any]):
    """What is fixed for a data set: dims, channels, classes, range, window, camera …

    A fact is read as an attribute or by its name. Values are plain (numbers, words, tuples,
    dataclasses of them), so that facts can be compared.

    Raises CourseError for a fact that the data set does not have.

    >>> facts = Facts(dims=2, classes=("benign", "malignant"))
    >>> facts.dims, len(facts["classes"]), "camera" in facts
    (2, 2, False)
    """

    def __init__(self, **values: Any) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            raise MissingFactError(
                f"The data set has no fact {name!r}; it has: {', '.join(self._values) or 'none'}. "
                "The method is made for another question."
            )
        return self._values[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def get(self, name: str, default: Any = None) -> Any:
        """A fact, or the default where the data set does not have it."""
        return self._values.get(name, default)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __or__(self, others: Mapping[str, Any]) -> "Facts":
        return Facts(**(self._values | dict(others)))

    def unlike(self, others: "Facts") -> str:
        """What differs in others, in words; empty where they are the same."""
        names = [n for n in {**self, **others} if n not in self or n not in others]
        names += [n for n in self if n in others and self[n] != others[n]]
        return "; ".join(
            f"{name}: {self._values.get(name, 'none')!r}, not {others._values.get(name, 'none')!r}"
            for name in names
        )

    def __repr__(self) -> str:
        return f"Facts({', '.join(f'{name}={value!r}' for name, value in self._values.items())})"


@dataclass(frozen=True)
class Cases:
    """Many cases.

    Arguments:
        tensors: name → (N, …); names are the field's words (`image`, `low_dose`, `kspace`, …).
        case: N unique names, for example `lung_tumours-1/z030`.
        subject: N subject ids; what a split must keep apart.
        group: N words that say which part of a report a case belongs to.
        spacing_mm: (N, d) pixel or voxel size in the order of the spatial axes.
        provenance: name → `measured`, `simulated`, or a phrase that says both.
        facts: what is the same for all cases of the data set.
        answers: names of the tensors that nobody sees who is asked about the cases.
        privileged: names of those that a reader or a simulator knows, handed out on request only.

    Raises ValueError when the lengths differ or a case name occurs twice.
    """

    tensors: Batch
    case: Sequence[str]
    subject: Sequence[str]
    group: Sequence[str]
    spacing_mm: Tensor
    provenance: dict[str, str] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)
    answers: frozenset[str] = frozenset()
    privileged: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        lengths = {key: len(value) for key, value in self.tensors.items()}
        lengths |= {name: len(getattr(self, name)) for name in ("case", "subject", "group")}
        lengths["spacing_mm"] = len(self.spacing_mm)
        if len(set(lengths.values())) != 1:
            raise ValueError(f"Every part needs one entry per case, but the lengths are {lengths}.")
        if len(set(self.case)) != len(self.case):
            raise ValueError("Case names must be unique.")

    def __len__(self) -> int:
        return len(self.case)

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    @property
    def device(self) -> torch.device:
        return next(iter(self.tensors.values())).device

    def batch(self, index: Tensor | slice) -> Batch:
        """The tensors of some cases: (n, …) each."""
        return {key: value[index] for key, value in self.tensors.items()}

    def subset(self, index: Sequence[int]) -> "Cases":
        """The cases at `index`, as Cases."""
        where = torch.as_tensor(list(index), dtype=torch.long)
        return replace(
            self,
            tensors={key: value[where.to(value.device)] for key, value in self.tensors.items()},
            case=[self.case[i] for i in index],
            subject=[self.subject[i] for i in index],
            group=[self.group[i] for i in index],
            spacing_mm=self.spacing_mm[where],
        )

    def to(self, device: torch.device) -> "Cases":
        """The same cases with their tensors on `device`."""
        return replace(self, tensors={k: v.to(device) for k, v in self.tensors.items()})


def join(parts: Sequence[Cases]) -> Cases:
    """One Cases from several that hold the same tensors.

    Raises ValueError when they are not of one data set: when their facts differ.
    """
    first = parts[0]
    if others := [part.facts for part in parts if part.facts != first.facts]:
        raise ValueError(f"These cases are of several data sets: {first.facts} and {others[0]}.")
    return Cases(
        tensors={key: torch.cat([part[key] for part in parts]) for key in first.tensors},
        case=[name for part in parts for name in part.case],
        subject=[name for part in parts for name in part.subject],
        group=[name for part in parts for name in part.group],
        spacing_mm=torch.cat([part.spacing_mm for part in parts]),
        provenance=first.provenance,
        facts=first.facts,
        answers=first.answers,
        privileged=first.privileged,
    )


def random_index(cases: Cases, count: int, generator: torch.Generator) -> Tensor:
    """`count` random case numbers, drawn with replacement, on the cases' device."""
    return torch.randint(len(cases), (count,), generator=generator).to(cases.device)


def random_patches(
    cases: Cases, names: Sequence[str], count: int, size: int, generator: torch.Generator
) -> Batch:
    """Square patches at random places, the same place in each of the named (N, C, H, W) images.

    Returns name → (count, C, size, size), gathered in one indexing operation per image.
    """
    height, width = cases[names[0]].shape[-2:]
    which = random_index(cases, count, generator)
    top = torch.randint(height - size + 1, (count,), generator=generator).to(cases.device)
    left = torch.randint(width - size + 1, (count,), generator=generator).to(cases.device)
    span = torch.arange(size, device=cases.device)
    rows, columns = top[:, None] + span, left[:, None] + span
    return {
        name: cases[name][which[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(
            0, 3, 1, 2
        )
        for name in names
    }


def subject_order(subjects: Iterable[str]) -> list[str]:
    """Each subject once, in an order that only the names decide: that of their hashes."""

    def mixed(name: str) -> bytes:  # names of files may hold bytes that are no UTF-8
        return hashlib.sha256(name.encode(errors="surrogateescape")).digest()

    return sorted(set(subjects), key=mixed)


def subject_split(subjects: Sequence[str]) -> dict[str, str]:
    """Subject → 'train', 'validation' or 'test': about 60, 20 and 20 %, at least one of each.

    Decided by a hash of the names, not by the seed and not by the order, so that the same subjects
    are tested on in every run.

    Raises CourseError for fewer than three subjects.

    >>> sorted(subject_split(["a", "b", "c"]).values())
    ['test', 'train', 'validation']
    """
    names = subject_order(subjects)
    if len(names) < 3:
        raise CourseError(
            f"{len(names)} subjects cannot be split into training, validation and test; at least "
            "3 are needed."
        )
    share = max(1, round(len(names) / 5))
    words = ["test"] * share + ["validation"] * share
    words += ["train"] * (len(names) - len(words))
    return dict(zip(names, words, strict=True))


def parts(subjects: Sequence[str]) -> dict[str, list[int]]:
    """Part → the positions in `subjects` that belong to it, by `subject_split`."""
    split = subject_split(subjects)
    return {
        part: [i for i, subject in enumerate(subjects) if split[subject] == part]
        for part in ("train", "validation", "test")
    }
