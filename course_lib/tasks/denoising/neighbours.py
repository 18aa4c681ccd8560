"""Denoising with the slices above and below: noise differs from slice to slice, anatomy hardly.

Each case is a slice of low dose together with the five below and the five above, and with the
sinograms of all eleven; only the middle one is scored. Methods that look at one slice take
`low_dose` and answer too. In training the cases are thick blocks of neighbouring slices, from which
patches eleven slices deep are drawn. Patients, split, grid and dose are those of `low_dose.py`; the
stacks of validation reach into the slices that lie unused between the blocks, never into others.
"""

from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts, join, random_index
from course_lib.data.volume import Volume
from course_lib.physics import ct
from course_lib.tasks import ct_patients, ct_scans
from course_lib.tasks.base import PARTS, Field, Plan, Splits
from course_lib.tasks.denoising import low_dose
from course_lib.tasks.denoising.low_dose import TRAINING, Size

DEPTH = 11
TRAINING_BLOCKS = ((8, 35), (35, 62), (97, 124))
HELD = ("validation", "test")


SIZES = {
    "smoke": Size(64, 60, 44, 1, 1, 1, every=3),
    "class": Size(256, 180, 48, 3, 4, 2),
    "full": Size(512, 720, 80, 6, 4, 4),
}
"""`every`: how many of the training blocks are used, each `every`-th."""


@lru_cache(maxsize=1)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """Scans the patients' stacks; the seed decides the noise."""
    from course_lib.data.sets import chest_ct

    size, chest = SIZES[profile], chest_ct.load()
    blocks = [list(range(*block)) for block in TRAINING_BLOCKS[:: size.every]]
    middles = ct_scans.middle(*ct_scans.VALIDATION_BLOCK, size.validation_slices)
    tests = []
    for patient, slices, crop in ct_patients.others(dataset.partition("/")[0], size.test_slices):
        stacks = around(patient, slices)
        tests.append(scan(patient, stacks, size, ct_scans.OTHER_PATIENTS, seed, crop))
    block = ct_scans.middle(*ct_scans.TEST_BLOCK, size.block_slices)
    tests.append(scan(chest, around(chest, block), size, ct_scans.SAME_PATIENT, seed))
    return Splits(
        train=scan(chest, blocks, size, TRAINING, seed),
        validation=scan(chest, around(chest, middles), size, "validation", seed),
        test=join(tests),
    )


def around(volume: Volume, slices: list[int]) -> list[list[int]]:
    """Each slice with its neighbours; beyond the ends of the volume the last slice again."""
    last, reach = len(volume.image) - 1, DEPTH // 2
    return [[min(max(z + k, 0), last) for k in range(-reach, reach + 1)] for z in slices]


def scan(
    volume: Volume,
    stacks: list[list[int]],
    size: Size,
    group: str,
    seed: int,
    chest: bool = True,
) -> Cases:
    """Both scans of some stacks of slices of one patient, as Cases.

    Each slice is scanned once, so that stacks that overlap share its noise.
    """
    slices = sorted({z for stack in stacks for z in stack})
    generator = ct_scans.generator("denoising neighbours", seed, f"{volume.subject} {group}")
    pixel_mm = ct_scans.FIELD_MM / size.pixels
    truth, region = ct_scans.on_grid(volume, slices, size.pixels, pixel_mm, chest)
    beam = ct.ParallelBeam(size.pixels, size.views, pixel_mm)
    clean = beam.forward(ct.hu_to_attenuation(truth))
    low, normal = (
        ct.low_dose_sinogram(
            clean, ct_scans.exposure(clean, arriving), low_dose.ELECTRONIC_NOISE, generator
        )
        for arriving in (low_dose.LOW_PHOTONS, low_dose.NORMAL_PHOTONS)
    )
    images = {
        "stack": ct.attenuation_to_hu(beam.fbp(low)),
        "normal_stack": ct.attenuation_to_hu(beam.fbp(normal)),
        "sinograms": low,
        "normal_sinograms": normal,
    }
    index = torch.tensor([[slices.index(z) for z in stack] for stack in stacks])
    tensors = {name: value[:, 0][index].unsqueeze(1) for name, value in images.items()}
    middle = index.shape[1] // 2
    if group != TRAINING:
        tensors["low_dose"] = tensors["stack"][:, :, middle].clone()
        tensors["normal_dose"] = tensors["normal_stack"][:, :, middle].clone()
        tensors["region"] = region.expand(len(stacks), 4).contiguous()
        del tensors["normal_stack"], tensors["normal_sinograms"]
    return Cases(
        tensors=tensors,
        case=[f"{volume.case}/z{stack[middle]:03d}" for stack in stacks],
        subject=[volume.subject] * len(stacks),
        group=[group] * len(stacks),
        spacing_mm=torch.full((len(stacks), 2), pixel_mm),
        provenance=dict.fromkeys(tensors, "simulated scan of measured HU")
        | {"region": "from measured HU"},
        facts=Facts(
            dims=2,
            channels=1,
            range=ct_scans.HU_RANGE,
            depth=DEPTH,
            size=size.pixels,
            pixel_mm=pixel_mm,
            angles=tuple(ct.angles(size.views).tolist()),
            measured=(True,) * size.views,
        ),
    )


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """Random patches eleven slices deep of both doses, turned and mirrored at random, and their
    middle slices."""
    side = SIZES[profile].patch
    both = blocks_of(train, ("stack", "normal_stack"), count, (DEPTH, side, side), generator)
    both = low_dose.turned(both, generator)
    middle = DEPTH // 2
    return both | {
        "low_dose": both["stack"][:, :, middle].contiguous(),
        "normal_dose": both["normal_stack"][:, :, middle].contiguous(),
    }


def blocks_of(
    cases: Cases,
    names: tuple[str, ...],
    count: int,
    sides: tuple[int, int, int],
    generator: torch.Generator,
) -> Batch:
    """Blocks at random places, the same place in each of the named (N, 1, S, H, W) tensors."""
    which = random_index(cases, count, generator)[:, None, None, None]
    places: list[Tensor] = []
    for axis, (long, side) in enumerate(zip(cases[names[0]].shape[2:], sides, strict=True)):
        first = torch.randint(long - side + 1, (count,), generator=generator)
        shape = [count, *(side if k == axis else 1 for k in range(3))]
        places.append((first[:, None] + torch.arange(side)).view(shape).to(cases.device))
    slices, rows, columns = places
    return {name: cases[name][which, 0, slices, rows, columns].unsqueeze(1) for name in names}


def score(prediction: Tensor, batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """The scores of denoising, of the middle slice."""
    return low_dose.score(prediction, batch, facts)


QUESTION = replace(
    low_dose.QUESTION,
    id="neighbours",
    title="Denoising with neighbouring slices",
    fields={
        "low_dose": Field("N 1 H W", "HU", "the middle slice at low dose", (*HELD, "batch")),
        "stack": Field("N 1 S Y X", "HU", "slices at low dose, the scored one in the middle"),
        "sinograms": Field("N 1 S views detectors", "line integral", "scans of the stack", PARTS),
        "normal_dose": Field(
            "N 1 H W", "HU", "the middle slice at normal dose", (*HELD, "batch"), answer=True
        ),
        "normal_stack": Field(
            "N 1 S Y X", "HU", "the stack at normal dose", ("train", "batch"), answer=True
        ),
        "normal_sinograms": Field(
            "N 1 S views detectors", "line integral", "its scans", ("train",), answer=True
        ),
        "region": replace(low_dose.FIELDS["region"], where=HELD),
    },
    facts={
        **low_dose.QUESTION.facts,
        "depth": "slices of a stack",
        "size": "pixels along a side",
        "angles": "of the views, in degrees",
        "measured": "which of them were taken: all",
    },
    sources={f"{patients}/stacks": needs for patients, needs in ct_patients.SOURCES.items()},
    plans={
        "smoke": Plan(steps=4, batch=2, evaluations=1),
        "class": Plan(steps=300, batch=4, evaluations=5, seconds=60),
        "long": Plan(steps=4500, batch=4, evaluations=12, seconds=900),
        "full": Plan(steps=40_000, batch=16, evaluations=40),
    },
    make=make,
    sample=sample,
    score=score,
)
