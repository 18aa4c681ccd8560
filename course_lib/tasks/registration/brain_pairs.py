"""Pairs of brains: whose they are, how they are drawn with the truth that there is, their scores.

Between two deformed copies of one donor the true field is known exactly. Between two donors nobody
knows it; there are label maps, and the centres of paired nuclei serve as landmarks.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts, join
from course_lib.data.anatomy.population import pair_field, population
from course_lib.data.anatomy.tissues import labels
from course_lib.metrics import registration as metrics
from course_lib.tasks.base import Field, Metric
from course_lib.tasks.registration import pairs

SOURCES = ("brain_donors", "brain_mni")
TRAIN = ("donor-9861", "donor-10021", "donor-12876")
VALIDATION, TEST = ("donor-14380",), ("donor-15496", "donor-15697")
SITE = "A"  # one scanner; noise and shading still differ from picture to picture

NUCLEI = (
    "thalamus", "caudate", "putamen", "pallidum", "hippocampus", "amygdala", "accumbens",
    "ventricle",
)  # fmt: skip
"""Structures that occur left and right: their sixteen centres are landmarks between donors."""
STRUCTURES = (
    "grey_matter", "white_matter", "thalamus", "caudate", "putamen", "pallidum", "hippocampus",
    "amygdala", "brainstem", "cerebellar_grey", "cerebellar_white", "ventricle",
)  # fmt: skip
"""What overlap is measured of."""
FEWEST = 4  # voxels that a structure needs to have a centre


def parts(
    dims: int, profile: str, seed: int
) -> Iterator[tuple[int, int, tuple[str, ...], dict[str, Any]]]:
    """(pairs, pixels along a side, donors, knobs) of training, validation and test."""
    size = pairs.SIZES[profile]
    pixels, counts = (size.pixels, size.counts) if dims == 2 else (size.pixels_3d, size.counts_3d)
    for number, donors in enumerate((TRAIN, VALIDATION, TEST)):
        yield counts[number], pixels, donors, {"seed": 10 * seed + number, "site": SITE}


def known_fields(
    count: int, dims: int, size: int, contrasts: tuple[str, str], donors: Sequence[str], **knobs
) -> Cases:
    """`count` pairs; both images show one donor, each deformed in its own way.

    Arguments:
        contrasts: of the fixed and of the moving image.
        knobs: `seed`, `site`, `deformation` of `population`.
    Returns Cases with `fixed`, `moving` (N, 1, *spatial), their label maps, `displacement` (N, d,
    *spatial) in voxels with moving(x + u(x)) = fixed(x), and of both 16 landmarks in the brain
    (`…_points`) and 16 around it (`…_rim`). Where the contrasts differ, `aligned` is the fixed
    anatomy in the moving contrast.
    """
    cases = population(
        2 * count,
        dims,
        size,
        tuple(dict.fromkeys(contrasts)),
        subjects=donors,
        repeats=2,
        **knobs,
    )
    fixed, moving = list(range(0, 2 * count, 2)), list(range(1, 2 * count, 2))
    truth = pair_field(cases, fixed, moving)
    points = {"points": cases["landmarks"], "rim": cases["rim"]}
    return _pairs(cases, fixed, moving, contrasts, truth, points, cases.subject)


def between_donors(
    count: int,
    dims: int,
    size: int,
    contrasts: tuple[str, str],
    couples: Sequence[tuple[str, str]],
    **knobs,
) -> Cases:
    """`count` pairs of two donors at one height; `couples` are (fixed, moving) donors.

    As `known_fields`, but without `displacement`, and the landmarks are centres of nuclei (nan
    where a nucleus does not reach into both slices).
    """
    drawn = []
    for number, couple in enumerate(couples):
        share = len(range(number, count, len(couples)))
        if not share:
            continue
        seed = 1000 * knobs["seed"] + number
        # Two cases of a group share height and knobs but not deformation: one donor gives the
        # first, the other the second.
        one, other = (
            population(
                2 * share,
                dims,
                size,
                tuple(dict.fromkeys(contrasts)),
                subjects=[donor],
                repeats=2,
                **knobs | {"seed": seed},
            )
            for donor in couple
        )
        both = {
            key: torch.cat([one[key][::2], other[key][1::2]])
            for key in (*contrasts, "label", "displacement", "inverse")
        }
        points = {"points": centres(both["label"], both["displacement"])}
        cases = Cases(
            both,
            [f"{n}/a" for n in one.case[::2]] + [f"{n}/b" for n in other.case[1::2]],
            one.subject[::2] + other.subject[1::2],
            one.group[::2] + other.group[1::2],
            torch.cat([one.spacing_mm[::2], other.spacing_mm[1::2]]),
            one.provenance,
        )
        fixed, moving = list(range(share)), list(range(share, 2 * share))
        names = [f"{couple[0]}+{couple[1]}"] * share
        drawn.append(_pairs(cases, fixed, moving, contrasts, None, points, names, number))
    return join(drawn)


def centres(label: Tensor, displacement: Tensor) -> Tensor:
    """Centres of the nuclei, left and right, (N, 16, d) voxels; nan where one is too small.

    Left and right are told apart in the template, whose midline is its middle column.
    """
    dims = displacement.shape[1]
    grid = torch.stack(
        torch.meshgrid(*[torch.arange(n, dtype=torch.float32) for n in label.shape[2:]],
                       indexing="ij")
    )  # fmt: skip
    right = (grid + displacement)[:, -1] > (label.shape[-1] - 1) / 2
    numbers, found = labels("brain"), []
    for name in NUCLEI:
        inside = label[:, 0] == numbers[name]
        for side in (right, ~right):
            mask = (inside & side).flatten(1).float()
            size = mask.sum(1, keepdim=True)
            centre = mask @ grid.flatten(1).T / size
            found.append(torch.where(size >= FEWEST, centre, torch.nan))
    return torch.stack(found, 1).reshape(len(label), -1, dims)


def _pairs(
    cases: Cases,
    fixed: list[int],
    moving: list[int],
    contrasts: tuple[str, str],
    truth: Tensor | None,
    points: dict[str, Tensor],
    subject: Sequence[str],
    mark: int = 0,
) -> Cases:
    alike = "correlation" if contrasts[0] == contrasts[1] else "mutual_information"
    images = {"fixed": cases[contrasts[0]][fixed], "moving": cases[contrasts[1]][moving]}
    tensors = pairs.started(images, alike) | {
        "fixed_label": cases["label"][fixed],
        "moving_label": cases["label"][moving],
    }
    for name, places in points.items():
        tensors[f"fixed_{name}"], tensors[f"moving_{name}"] = places[fixed], places[moving]
    if truth is not None:
        tensors["displacement"] = truth
    if contrasts[0] != contrasts[1]:
        tensors["aligned"] = cases[contrasts[1]][fixed]
    about = cases.provenance
    image = about.get(contrasts[0], "simulated from measured label maps")
    return Cases(
        tensors=tensors,
        case=[f"{cases.case[k]}/couple-{mark}" for k in fixed],
        subject=[subject[k] for k in (fixed if len(subject) > len(fixed) else range(len(fixed)))],
        group=["pairs"] * len(fixed),
        spacing_mm=cases.spacing_mm[fixed],
        provenance={
            "fixed": image,
            "moving": image,
            "moved": image,
            "fixed_label": about["label"],
            "moving_label": about["label"],
        }
        | ({} if truth is None else {"displacement": "simulated"}),
        facts=Facts(
            dims=cases.spacing_mm.shape[1],
            channels=1,
            spacing_mm=tuple(cases.spacing_mm[0].tolist()),
            structures=tuple(labels("brain")[name] for name in STRUCTURES),
        ),
    )


def score(prediction: Any, batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """The scores of all pairs, and how far landmarks in the brain still lie apart."""
    points = batch["fixed_points"], batch["moving_points"]
    apart = metrics.tre_mm(prediction["forward"], *points, facts.spacing_mm)
    return {"tre_mm": apart} | pairs.score(prediction, batch, facts)


FIELDS = pairs.FIELDS | {
    "fixed_points": Field(
        "N 16 dims", "pixels", "landmarks in the fixed brain, nan if missing", answer=True
    ),
    "moving_points": Field(
        "N 16 dims", "pixels", "the same landmarks in the moving brain", answer=True
    ),
}
METRICS = {
    "tre_mm": Metric(
        "mm",
        "lower",
        "Target registration error: how far landmarks in the brain still lie apart.",
    )
} | pairs.METRICS
