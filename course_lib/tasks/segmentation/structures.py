"""Segmentation (survey section 3.2): every voxel of a stack of slices gets a label.

A case is a stack (N, 1, D, H, W) of one subject with its label map; 2D networks take its slices one
by one, 3D networks the stack, and all train on the same random pieces. Data sets:

    brain_tissue          T1 slices of 2.5 mm, 5 mm apart, of heads that real label maps of six
                          donors were rendered to, at four sites; three donors train, one validates,
                          two test. What is simulated is the picture, what is real is the anatomy.
    brain_3d              the same heads without gaps, 2.5 mm in each direction
    chest_organs          real CT of ONE patient, organ labels made by a model: blocks of slices,
                          10 mm apart, train, validate and test, so all results are the same
                          patient's and say nothing of others
    lung_tumours/without_K  real CT of four patients with tumours outlined by experts: patient K
                          tests, the next one validates, the other two train

Label 0 is the background; structures are numbered from the largest to the smallest.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts, random_index
from course_lib.metrics import segmentation as metrics
from course_lib.parts import crops
from course_lib.tasks.base import Field, Metric, Panel, Plan, Question, Splits
from course_lib.tasks.segmentation import heads, stacks

COLOURS = ("000000", "0072b2", "e69f00", "56b4e9", "d55e00", "f0e442", "cc79a7", "009e73")
"""Of the labels, Okabe and Ito's."""


@dataclass(frozen=True)
class Size:
    """Pixels along a side of a head and of a real scan; how many heads, and at most how many of
    the user's subjects, train, validate and test; and the sides (D, H, W) of the pieces that
    train, with gaps between slices and without."""

    head: int
    heads: tuple[int, int, int]
    pixels: int
    subjects: tuple[int, int, int]
    piece: tuple[int, int, int]
    piece_3d: tuple[int, int, int]


SIZES = {
    "smoke": Size(32, (2, 1, 2), 32, (3, 1, 2), (8, 32, 32), (8, 32, 32)),
    "class": Size(64, (15, 2, 8), 80, (60, 6, 20), (8, 64, 64), (16, 48, 48)),
    "full": Size(128, (90, 6, 20), 192, (400, 20, 100), (16, 128, 128), (48, 96, 96)),
}


@lru_cache(maxsize=2)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """Draws heads or cuts real scans into stacks. The seed decides the heads; the real scans are
    always the same. The latest cases are kept, because a lesson asks for them often."""
    if dataset.startswith("brain"):
        size = SIZES[profile]
        return heads.drawn(size.head, size.heads, seed, gaps=dataset == "brain_tissue")
    if dataset == "chest_organs":
        return stacks.chest_organs(SIZES[profile].pixels)
    return stacks.lung_tumours(SIZES[profile].pixels, without=int(dataset[-1]))


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """Random pieces of training stacks."""
    size, shape = SIZES[profile], train["image"].shape[2:]
    piece = size.piece_3d if 2 * shape[0] >= shape[1] else size.piece
    return pieces(train, piece, count, generator)


def pieces(
    train: Cases, piece: tuple[int, int, int], count: int, generator: torch.Generator
) -> Batch:
    """Random pieces (D, H, W) of training stacks, or as large as they are. About half are centred,
    as far as can be, on a voxel of a structure that is drawn first: small ones are seen as often as
    large ones."""
    shape = train["image"].shape[2:]
    sides = tuple(min(a, b) for a, b in zip(piece, shape, strict=True))
    case = random_index(train, count, generator)
    chance = torch.rand(count, 6, generator=generator).to(train.device)
    side, room = (torch.tensor(x, device=train.device) for x in (sides, shape))
    room = room - side
    corner = (chance[:, :3] * (room + 1)).long()
    wanted = 1 + (chance[:, 3] * (train.facts.classes - 1)).long()
    some = (chance[:, 5] < 0.5).nonzero()[:, 0]
    found = train["label"][case[some], 0] == wanted[some, None, None, None]
    voxel, there = _any_of(found, chance[some, 4])
    centred = (voxel - side // 2).clamp_min(0).minimum(room)
    corner[some] = torch.where(there[:, None], centred, corner[some])
    cut = ("image", "label")
    return {
        name: crops.boxes(value, case, corner, sides) if name in cut else value[case]
        for name, value in train.tensors.items()
    }


def _any_of(found: Tensor, chance: Tensor) -> tuple[Tensor, Tensor]:
    """One of the voxels of each (N, D, H, W) that are true, by `chance` (N,) from 0 to 1: where it
    is, (N, 3), and whether there is any."""
    upto = found.flatten(1).cumsum(1, dtype=torch.int32)
    nth = (chance * upto[:, -1] + 1).int().minimum(upto[:, -1])
    place = torch.searchsorted(upto, nth[:, None])
    return torch.stack(torch.unravel_index(place[:, 0], found.shape[1:]), 1), upto[:, -1] > 0


def score(prediction: Tensor, batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """Dice, HD95 and ASSD, each the mean over the structures of a case, Dice of the smallest of
    them, and how many were missed; `metrics.segmentation` says what is not there counts for."""
    found = range(1, facts.classes)
    ours, theirs = (metrics.one_hot(x[:, 0], found) for x in (prediction, batch["label"]))
    dice = metrics.dice(ours, theirs)
    hd95, assd = metrics.surface_distances_mm(ours, theirs, facts.spacing_mm)
    return {
        "dice": metrics.mean_present(dice),
        "hd95": metrics.mean_present(hd95),
        "assd": metrics.mean_present(assd),
        "dice_smallest": metrics.last_present(dice, theirs),
        "missed": metrics.missed(ours, theirs),
    }


def truth(batch: Batch, facts: Facts) -> Tensor:
    """The answer of who knows the truth."""
    return batch["label"]


def colour(labels: Tensor) -> Tensor:
    """Labels (…) as colours (…, 3) uint8; label 0 is black."""
    table = torch.tensor([[int(c[i : i + 2], 16) for i in (0, 2, 4)] for c in COLOURS])
    shown = torch.where(labels > 0, (labels.long() - 1) % (len(COLOURS) - 1) + 1, 0)
    return table.to(torch.uint8).to(labels.device)[shown]


def pictures(prediction: Tensor, batch: Batch, facts: Facts) -> dict[str, Panel]:
    """The middle slice: image, output and truth in colours, and which pixels are wrong."""
    z = batch["image"].shape[2] // 2
    low, high = batch["window"].T.reshape(2, -1, 1, 1)
    image = (batch["image"][:, 0, z] - low) / (high - low)
    ours, truth = prediction[:, 0, z], batch["label"][:, 0, z]
    wrong = (ours != truth).float()
    return {
        "input": Panel(image, "grey", (0.0, 1.0), "window", shared=True),
        "output": Panel(colour(ours), "rgb", (0.0, 255.0), "label", shared=False),
        "truth": Panel(colour(truth), "rgb", (0.0, 255.0), "label", shared=True),
        "error": Panel(wrong, "grey", (0.0, 1.0), "wrong", shared=False),
    }


FIELDS = {
    "image": Field("N 1 D H W", "HU or arbitrary", "a stack of slices: the input"),
    "label": Field(
        "N 1 D H W", "class", "the structure of each voxel, 0: none", dtype="uint8", answer=True
    ),
    "window": Field("N 2", "as image", "the values shown black and white"),
}

QUESTION = Question(
    id="structures",
    title="Segmentation of structures",
    fields=FIELDS,
    facts={
        "dims": "3: stacks of slices",
        "channels": "1",
        "classes": "how many labels there are, 0 (none of the structures) included",
        "structures": "names of the labels 1, 2, …, from the largest structure to the smallest",
        "spacing_mm": "size of a voxel along z, y and x in mm",
    },
    headline="dice",
    metrics={
        "dice": Metric(
            "",
            "higher",
            "Overlap 2|P∩T| / (|P|+|T|), mean over the structures of a case; 0 for one that is "
            "missed or made up.",
        ),
        "hd95": Metric(
            "mm",
            "lower",
            "95th percentile of the distances between the outlines, mean over structures; the "
            "diagonal of the stack for one that is missed or made up.",
        ),
        "assd": Metric(
            "mm", "lower", "Mean distance between the outlines, mean over structures; else as HD95."
        ),
        "dice_smallest": Metric("", "higher", "Dice of the smallest structure that a case has."),
        "missed": Metric(
            "structures", "lower", "Structures of a case of which not a voxel was drawn."
        ),
    },
    sources={
        "brain_tissue": ("brain_donors", "brain_mni"),
        "brain_3d": ("brain_donors", "brain_mni"),
        "chest_organs": ("chest_ct",),
        **{f"lung_tumours/without_{k}": ("lung_tumours",) for k in (4, 1, 2, 3)},
    },
    plans={
        "smoke": Plan(steps=6, batch=2, evaluations=2),
        "class": Plan(steps=280, batch=2, evaluations=5, seconds=60),
        "long": Plan(steps=4200, batch=2, evaluations=12, seconds=900),
        "full": Plan(steps=30_000, batch=8, evaluations=40),
    },
    make=make,
    sample=sample,
    score=score,
    pictures=pictures,
    truth=truth,
    kinds=("brain_tissue", "lung_tumours/without_4"),
)
