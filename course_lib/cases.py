"""Whole data sets as tensors: a case is one image, volume, pair or sequence of one subject.

`Cases` holds many of them, first axis = case, with the subject of each, so that batches are index
slices of tensors that already lie on the device and splits can be made by subject.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

Batch = dict[str, Tensor]


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

    Raises ValueError when the lengths differ or a case name occurs twice.
    """

    tensors: Batch
    case: Sequence[str]
    subject: Sequence[str]
    group: Sequence[str]
    spacing_mm: Tensor
    provenance: dict[str, str] = field(default_factory=dict)

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
    """One Cases from several that hold the same tensors."""
    first = parts[0]
    return Cases(
        tensors={key: torch.cat([part[key] for part in parts]) for key in first.tensors},
        case=[name for part in parts for name in part.case],
        subject=[name for part in parts for name in part.subject],
        group=[name for part in parts for name in part.group],
        spacing_mm=torch.cat([part.spacing_mm for part in parts]),
        provenance=first.provenance,
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
