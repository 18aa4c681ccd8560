"""A population: many people drawn from a few real ones, with the truth kept.

Every case is a template deformed by a random diffeomorphism, an affine map after the flow of a
stationary velocity, φ = A ∘ exp(v). Both φ and its inverse are kept, so registration has an exact
answer: `case(x) = template(x + displacement(x))`.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from course_lib.cases import Cases
from course_lib.data.anatomy import scanner as scanners
from course_lib.data.anatomy import template as templates
from course_lib.data.anatomy.deform import Sampler, carry, deform, landmarks
from course_lib.data.anatomy.render import Specimen, render
from course_lib.data.anatomy.template import Template
from course_lib.errors import CourseError
from course_lib.physics import fields

_FINE_MM = {2: 0.9, 3: 1.8}  # the grid for partial volume is about this fine, by dimension,
_FINEST = {2: 4, 3: 3}  # but at most so many times finer than the image
_CHUNK = 2**22  # fine voxels that are worked on together: bounds the memory


def population(
    n: int,
    dims: int = 2,
    size: int = 128,
    contrasts: Sequence[str] = ("t1", "t2"),
    seed: int = 0,
    region: str = "brain",
    site: str = "mixed",
    subjects: Sequence[str] | None = None,
    repeats: int = 1,
    deformation: float = 1.0,
    phase: bool = False,
    spacing_mm: float | None = None,
) -> Cases:
    """Draws cases: deformed real anatomy, rendered in several contrasts by several scanners.

    Arguments:
        n: how many cases. dims: 2 (axial slices) or 3. size: pixels along every axis.
        contrasts: any of `t1`, `t2`, `pd` (a.u.), `ct` (HU), `pet` (SUV).
        seed: the same seed gives the same cases, and the first ones do not depend on `n`.
        region: `brain` or `chest`.
        site: a name in `scanner.SITES`, or `mixed`: one of them at random for each case.
        subjects: whose anatomy, from `template.subjects(region)`; all by default.
        repeats: so many consecutive cases share a template, for pairs (`pair_field`).
        deformation: strength of the deformations; 1 is how people differ, 0 is none.
        phase: adds `NAME_complex` (complex64) for every MR contrast.
        spacing_mm: pixel size; by default the whole head (224 mm) or chest (360 mm) fits.
    Returns Cases with (d axes in the order y, x or z, y, x; fields and points in voxels)
        each contrast   (n, 1, *spatial) float32
        label           (n, 1, *spatial) uint8, see `tissues.labels(region)`
        displacement    (n, d, *spatial), case(x) = template(x + u(x)); inverse: the way back
        landmarks       (n, 16, d) in the case; template_landmarks: the same points before
        rim             (n, 16, d) the same around the brain, on skull, fat and skin; no chest's
    `subject` is the donor (what a split must keep apart), `group` the site.
    Raises CourseError for unknown names and impossible sizes.
    """
    _check(n, dims, size, contrasts, region, site, subjects)
    chosen = list(subjects or templates.subjects(region, dims))
    pixel = spacing_mm or templates.FIELD_OF_VIEW_MM[region] / size
    factor = min(_FINEST[dims], max(2, math.ceil(pixel / _FINE_MM[dims])))
    per_chunk = max(1, _CHUNK // (factor * size) ** dims)
    plan = [_plan(index, seed, repeats, chosen, region, dims, site) for index in range(n)]
    tensors: dict[str, Tensor] = {}
    for start in range(0, n, per_chunk):
        chunk = plan[start : start + per_chunk]
        made = _draw(chunk, (size,) * dims, pixel, factor, region, contrasts, deformation, phase)
        for name, value in made.items():
            if name not in tensors:  # filled in place: parts and whole never lie side by side
                tensors[name] = value.new_empty((n, *value.shape[1:]))
            tensors[name][start : start + per_chunk] = value
    return Cases(
        tensors=tensors,
        case=[f"{one.subject}/{one.name}/draw-{k:05d}" for k, (one, _, _) in enumerate(plan)],
        subject=[one.subject for one, _, _ in plan],
        group=[f"site {scanner.name}" for _, scanner, _ in plan],
        spacing_mm=torch.full((n, dims), pixel),
        provenance=_provenance(region, contrasts),
    )


def pair_field(cases: Cases, fixed: Sequence[int], moving: Sequence[int]) -> Tensor:
    """The true displacement between cases of one template: moving(x + u(x)) = fixed(x).

    Arguments: numbers of cases drawn with `repeats` > 1, pairwise of the same template.
    Returns (pairs, d, *spatial) in voxels. Raises CourseError if a pair does not share one.
    """
    for one, other in zip(fixed, moving, strict=True):
        first, second = (cases.case[k].rsplit("/", 1)[0] for k in (one, other))
        if first != second:
            raise CourseError(
                f"{cases.case[one]} and {cases.case[other]} are of different templates, so there "
                "is no true field between them. Draw the population with repeats=2 and pair "
                "neighbours: fixed = 0, 2, …, moving = 1, 3, …"
            )
    return fields.compose(cases["inverse"][list(moving)], cases["displacement"][list(fixed)])


def _check(n, dims, size, contrasts, region, site, subjects) -> None:
    known = templates.subjects(region, dims if dims in (2, 3) else 2)
    wrong = [name for name in contrasts if name not in scanners.CONTRASTS]
    if wrong:
        raise CourseError(f"Unknown contrast {wrong[0]!r}: choose from {scanners.CONTRASTS}.")
    strangers = [name for name in subjects or () if name not in known]
    if strangers:
        raise CourseError(f"Unknown subject {strangers[0]!r}: choose from {', '.join(known)}.")
    if site != "mixed":
        scanners.site(site)
    if dims not in (2, 3) or n < 1 or size < 16 or size % 4:
        raise CourseError(
            f"Got n={n}, dims={dims}, size={size}: expected n ≥ 1, dims 2 or 3, and a size of at "
            "least 16 that is a multiple of 4."
        )


def _provenance(region: str, contrasts: Sequence[str]) -> dict[str, str]:
    label = {
        "brain": "measured cortex and nuclei; other tissues modelled; deformed at random",
        "chest": "measured (organs probably labelled by a model); deformed at random",
    }[region]
    result = {name: "simulated from measured label maps" for name in contrasts}
    if region == "chest" and "ct" in contrasts:
        result["ct"] = "measured pixels, deformed, with simulated noise"
    return result | {"label": label, "displacement": "simulated", "inverse": "simulated"}


def _plan(
    index: int, seed: int, repeats: int, chosen: list[str], region: str, dims: int, site: str
) -> tuple[Template, scanners.Scanner, torch.Generator]:
    """Template, scanner and generator of one case."""
    group = index // repeats
    shared = torch.Generator().manual_seed(seed * 1_000_003 + 2 * group + 1)
    own = torch.Generator().manual_seed(seed * 1_000_003 + 2 * index)
    subject = chosen[group % len(chosen)]
    if dims == 3:
        piece = templates.volume_template(region, subject)
    else:
        heights = templates.levels(region, subject)
        pick = int(torch.randint(len(heights), (1,), generator=shared))
        piece = templates.slice_template(region, subject, float(heights[pick]))
    names = list(scanners.SITES)
    drawn = names[int(torch.randint(len(names), (1,), generator=own))]
    return piece, scanners.site(drawn if site == "mixed" else site), own


def _draw(
    chunk: list[tuple[Template, scanners.Scanner, torch.Generator]],
    shape: tuple[int, ...],
    pixel: float,
    factor: int,
    region: str,
    contrasts: Sequence[str],
    deformation: float,
    phase: bool,
) -> dict[str, Tensor]:
    """The tensors of some cases."""
    pieces, machines, generators = zip(*chunk, strict=True)
    displacement, inverse = deform(shape, pixel, deformation, generators)
    sampler = Sampler(pieces, shape, pixel, region)
    fine = sampler.grid(displacement, factor)
    measured = {
        name: sampler.take([piece.measured[name] for piece in pieces], fine, outside=-1000.0)
        for name in pieces[0].measured
        if name in contrasts
    }
    specimen = Specimen(
        labels=sampler.tissue(fine).long(),
        detail=sampler.take([piece.detail for piece in pieces], fine) / templates.DETAIL_UNITS,
        measured=measured,
        region=region,
        factor=factor,
        pixel_mm=pixel,
        generators=generators,
    )
    before, around = (
        torch.stack([landmarks(piece, shape, pixel, region, rim) for piece in pieces])
        for rim in (False, region == "brain")
    )
    rim = {"rim": carry(around, displacement, inverse)} if region == "brain" else {}
    return render(specimen, machines, contrasts, phase) | {
        "label": sampler.tissue(sampler.grid(displacement, 1)).to(torch.uint8)[:, None],
        "displacement": displacement,
        "inverse": inverse,
        "landmarks": carry(before, displacement, inverse),
        "template_landmarks": before,
        **rim,
    }
