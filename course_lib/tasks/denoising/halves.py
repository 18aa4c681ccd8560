"""Denoising without a clean scan: what is learnt from two scans at half the dose each.

Nobody scans a patient twice at normal dose. But any scan can be taken as two of half the dose, in
which the photons, and so the noise, are independent. In training there is nothing else: `half_a`,
`half_b`, and `low_dose`, reconstructed from the photons of both. The normal dose is kept for
validation and test, where it scores. Each half has electronic noise of its own, so that `low_dose`
is a little noisier than the single scan of `low_dose.py`, whose patients, split, grid and dose it
shares.
"""

from dataclasses import replace
from functools import lru_cache

import torch

from course_lib.cases import Batch, Cases, Facts, random_patches
from course_lib.data.volume import Volume
from course_lib.physics import ct
from course_lib.tasks import ct_patients, ct_scans
from course_lib.tasks.base import Field, Splits
from course_lib.tasks.denoising import low_dose
from course_lib.tasks.denoising.low_dose import SIZES, TRAINING, Size

SEEN = ("half_a", "half_b", "low_dose")


@lru_cache(maxsize=1)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """Scans the patients twice; the seed decides the noise."""
    return low_dose.scanned(dataset, SIZES[profile], seed, scan)


def scan(
    volume: Volume,
    slices: list[int],
    size: Size,
    group: str,
    seed: tuple[int, str],
    chest: bool = True,
    crops: int = 0,
) -> Cases:
    """Both halves, and the scan that they are together, as Cases; for scores the normal dose.
    `chest`, `crops`: see `low_dose.shown`."""
    generator = ct_scans.generator("denoising halves", *seed)
    pixel_mm = ct_scans.FIELD_MM / size.pixels
    truth, region, names = low_dose.shown(volume, slices, size, generator, chest, crops)
    beam = ct.ParallelBeam(size.pixels, size.views, pixel_mm)
    clean = beam.forward(ct.hu_to_attenuation(truth))
    photons = ct_scans.exposure(clean, low_dose.LOW_PHOTONS / 2)
    first, second = (
        ct.counts(clean, photons, low_dose.ELECTRONIC_NOISE, generator) for _ in range(2)
    )

    def image(counts: torch.Tensor, sent: torch.Tensor) -> torch.Tensor:
        return ct.attenuation_to_hu(beam.fbp(ct.line_integrals(counts, sent)))

    tensors = {
        "half_a": image(first, photons),
        "half_b": image(second, photons),
        "low_dose": image(first + second, 2 * photons),
        "region": region,
    }
    if group != TRAINING:
        sent = ct_scans.exposure(clean, low_dose.NORMAL_PHOTONS)
        normal = ct.counts(clean, sent, low_dose.ELECTRONIC_NOISE, generator)
        tensors["normal_dose"] = image(normal, sent)
    return Cases(
        tensors=tensors,
        case=names,
        subject=[volume.subject] * len(truth),
        group=[group] * len(truth),
        spacing_mm=torch.full((len(truth), 2), pixel_mm),
        provenance=dict.fromkeys(tensors, "simulated scan of measured HU")
        | {"region": "from measured HU"},
        facts=Facts(dims=2, channels=1, range=ct_scans.HU_RANGE, pixel_mm=pixel_mm),
    )


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """Random patches of both halves and of the whole scan, turned and mirrored at random."""
    patches = random_patches(train, SEEN, count, SIZES[profile].patch, generator)
    return low_dose.turned(patches, generator)


QUESTION = replace(
    low_dose.QUESTION,
    id="halves",
    title="Denoising without a clean scan",
    fields={
        "half_a": Field("N 1 H W", "HU", "the slice from half of the photons"),
        "half_b": Field("N 1 H W", "HU", "the same slice from the other half: other noise"),
        "low_dose": Field("N 1 H W", "HU", "the slice from both halves' photons"),
        "normal_dose": Field(
            "N 1 H W", "HU", "the slice from many photons", ("validation", "test"), answer=True
        ),
        "region": low_dose.FIELDS["region"],
    },
    sources={f"{patients}/halves": needs for patients, needs in ct_patients.SOURCES.items()},
    make=lambda dataset, profile, seed: make(dataset.partition("/")[0], profile, seed),
    sample=sample,
)
