"""Super-resolution of CT and MR (survey section 2.1.2).

A case is a block of slices. It is taken for the truth (`high_resolution`) and spoilt into fewer,
larger voxels (`low_resolution`); the loss of detail is always simulated. A data set's name says
whose volumes, how detail is lost, and by which factor:

    chest_ct+lung_tumours/bicubic_x3     in-plane, cubic convolution (image editors; no scanner)
                         /blur_x3        in-plane, Gaussian blur and decimation (detector elements)
                         /kspace_x3      in-plane, central k-space only (MR; applied to CT images)
                         /thick_x3       through-plane, means over thick slices, and noise of 10 HU
    brain_t1/kspace_x3                   the same kinds on rendered T1 brains

Factors are 2, 3 and 4, and 6 for one network that serves factors it never saw. The fact `scale`
holds them along (z, y, x). All networks may use the planes that lost detail, or the block.

Patients: blocks of `chest_ct` (one patient) train and validate; one more, 10 mm away from them, is
reported apart. The four patients of `lung_tumours` are only ever tested on: blocks around the
tumour. In-plane all are resampled to one pixel size; slices stay as measured (2.5 and 3 mm).
Brains: T1 rendered from the label maps of six donors, each in one part only; the measured average
MNI152 is a second test, and a smooth one. What is not CT is put on the same scale: see `blocks`.
`own.py` spoils the user's volumes.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts, join, random_index
from course_lib.metrics import image as image_metrics
from course_lib.metrics import texture
from course_lib.parts.crops import cut
from course_lib.parts.super_resolution.planes import Scale, to_planes
from course_lib.tasks.base import Field, Metric, Panel, Plan, Question, Splits
from course_lib.tasks.super_resolution import blocks
from course_lib.tasks.super_resolution.blocks import DEPTH, MIXED_FACTORS, RANGE

OTHER_PATIENTS, SAME_PATIENT = "other patients", "same patient, held-out block"
OTHER_DONORS, AVERAGE = "other donors, rendered", "average brain, measured"
KINDS, FACTORS = ("bicubic", "blur", "kspace", "thick"), (3, 2, 4, 6)

# First slices of the blocks of chest_ct. At least four slices (10 mm) lie between two parts.
TRAIN_BLOCKS, VALIDATION_BLOCK, TEST_BLOCK = (10, 22, 34, 46, 94, 106), 62, 78
TRAIN_DONORS = ("donor-9861", "donor-10021", "donor-12876")
VALIDATION_DONOR, TEST_DONORS = "donor-14380", ("donor-15496", "donor-15697")


@dataclass(frozen=True)
class Size:
    """Pixel size (mm), pixels along a side of a tested crop and of a training patch, the blocks
    that train, and the blocks of each test patient."""

    pixel_mm: float
    crop: int
    patch: int
    train_blocks: tuple[int, ...] = TRAIN_BLOCKS
    test_blocks: int = 2
    donors: int = len(TRAIN_DONORS)


SIZES = {
    "smoke": Size(2.5, 48, 24, TRAIN_BLOCKS[1::3], 1, 1),
    "class": Size(1.25, 96, 48),
    "full": Size(1.0, 120, 60, test_blocks=3),
}


def parse(dataset: str) -> tuple[str, str, Scale]:
    """(patients, kind, factors along z, y, x) from a data set's name."""
    patients, _, rest = dataset.partition("/")
    kind, _, factor = rest.partition("_x")
    return patients, kind, blocks.factors(kind, int(factor))


@lru_cache(maxsize=2)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """Cuts blocks and spoils them. The seed decides the noise of thick slices and how brains are
    deformed. The latest cases are kept: a lesson asks for the same ones often."""
    patients, kind, scale = parse(dataset)
    loss, size = blocks.Loss(kind, scale, seed), SIZES[profile]
    if patients == "brain_t1":
        return _brains(size, loss)
    chest = blocks.chest(size.pixel_mm)
    side = min(chest.shape[1:]) // 12 * 12  # every factor divides 12
    lungs = [((side - size.crop) // 2, round(x * side - size.crop / 2)) for x in (0.32, 0.68)]
    pixels = (size.pixel_mm, size.pixel_mm)

    def of_chest(starts: tuple[int, ...], corners: list, crop: int, group: str) -> Cases:
        places = [(z, *corner) for z in starts for corner in corners]
        about = ("LIDC-IDRI-0001", (2.5, *pixels), group, blocks.CT)
        return blocks.cases(chest, places, crop, *about, loss)

    tests = [of_chest((TEST_BLOCK,), lungs, size.crop, SAME_PATIENT)]
    if patients == "chest_ct+lung_tumours":
        others = []
        for patient in blocks.lung_tumours():
            fine = blocks.resampled(patient, size.pixel_mm)
            places = blocks.around_tumour(patient, fine.shape, size.crop, size.test_blocks)
            spacing = (patient.spacing_mm[0], *pixels)
            about = (patient.subject, spacing, OTHER_PATIENTS, blocks.CT)
            others.append(blocks.cases(fine, places, size.crop, *about, loss))
        tests = others + tests
    train = of_chest(size.train_blocks, [(0, 0)], side, "training")
    return Splits(
        train=blocks.with_mixed_factors(train, loss),
        validation=of_chest((VALIDATION_BLOCK,), lungs, size.crop, "validation"),
        test=join(tests),
    )


def _brains(size: Size, loss: blocks.Loss) -> Splits:
    """Blocks of rendered brains, and of the average brain that was measured."""
    pixel_mm = 1.2 * size.pixel_mm

    def of(fine: Tensor, subject: str, count: int, group: str) -> Cases:
        places = blocks.spread(size.crop, count, size.crop, fine.shape)
        about = (subject, (pixel_mm,) * 3, group, blocks.BRAIN)
        return blocks.cases(fine, places, size.crop, *about, loss, hounsfield=False)

    def donor(name: str, count: int, group: str) -> Cases:
        return of(blocks.brain(name, size.crop, pixel_mm, loss.seed), name, count, group)

    everything = size.crop // DEPTH
    train = join([donor(d, everything, "training") for d in TRAIN_DONORS[: size.donors]])
    average = of(blocks.average_brain(size.crop, pixel_mm), "MNI152", size.test_blocks, AVERAGE)
    tests = [donor(d, size.test_blocks, OTHER_DONORS) for d in TEST_DONORS]
    return Splits(
        train=blocks.with_mixed_factors(train, loss),
        validation=donor(VALIDATION_DONOR, 2, "validation"),
        test=join([*tests, average]),
    )


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """Random patches of whole depth, all mirrored alike. `interpolated` (count, 1, D, H, W) has a
    factor of its own, drawn from MIXED_FACTORS, in every case."""
    scale = train.facts.scale
    side = min(SIZES[profile].patch, train["high_resolution"].shape[-1])
    coarse = [train["high_resolution"].shape[-1] // scale[2], side // scale[2]]
    case = random_index(train, count, generator)
    corner = torch.randint(coarse[0] - coarse[1] + 1, (count, 2), generator=generator).to(case)
    factor = torch.randint(len(MIXED_FACTORS), (count,), generator=generator).to(case)
    patches = {}
    for name, images in train.tensors.items():
        step, width = (1, coarse[1]) if name == "low_resolution" else (scale[2], side)
        if name == "interpolated":  # (N, K, D, H, W): one of K
            kinds = images.flatten(0, 1).unsqueeze(1)
            patches[name] = cut(kinds, corner * step, width, case * images.shape[1] + factor)
        else:
            patches[name] = cut(images, corner * step, width, case)
    axes = [axis for axis in (2, 3, 4) if torch.rand(1, generator=generator) < 0.5]
    return {name: patch.flip(axes) for name, patch in patches.items()}


def score(prediction: Tensor, batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """PSNR, SSIM and what is left of the edges, per block."""
    cases = len(prediction)
    prediction, target = (x.clamp(*RANGE) for x in (prediction, batch["high_resolution"]))
    data_range = RANGE[1] - RANGE[0]
    found, wanted = (to_planes(volume, facts.scale) for volume in (prediction, target))

    def mean(values: Tensor) -> Tensor:
        return values.view(cases, -1).nanmean(dim=1)

    return {
        "psnr": image_metrics.psnr(prediction, target, data_range),
        "ssim": mean(image_metrics.ssim(found - RANGE[0], wanted - RANGE[0], data_range)),
        "edge_distance": mean(texture.edge_distance(found, wanted)),
        "edge_sharpness": mean(texture.edge_sharpness(found, wanted)),
    }


def truth(batch: Batch, facts: Facts) -> Tensor:
    """The answer of who knows the truth."""
    return batch["high_resolution"]


def pictures(prediction: Tensor, batch: Batch, facts: Facts) -> dict[str, Panel]:
    """The middle plane that lost detail: input (coarse pixels), output, truth, and the error."""
    low = batch["low_resolution"]
    for axis, factor in enumerate(facts.scale, start=2):
        low = low.repeat_interleave(factor, dim=axis)

    def middle(volume: Tensor) -> Tensor:
        if facts.scale[0] == 1:
            return volume[:, 0, DEPTH // 2]
        # Slices are about twice as thick as pixels are wide: so the coronal plane keeps its shape.
        return volume[:, 0, :, volume.shape[3] // 2].repeat_interleave(2, dim=1)

    output, truth = middle(prediction), middle(batch["high_resolution"])
    window, unit = ((-1000.0, 400.0), "HU") if facts.hounsfield else (RANGE, "a.u.")
    return {
        "input": Panel(middle(low), "grey", window, unit, shared=True),
        "output": Panel(output, "grey", window, unit, shared=False),
        "truth": Panel(truth, "grey", window, unit, shared=True),
        "error": Panel(output - truth, "signed", (-300.0, 300.0), unit, shared=False),
    }


FIELDS = {
    "high_resolution": Field(
        "N 1 D H W", "HU or a.u.", "the block as it is: the target", answer=True
    ),
    "low_resolution": Field(
        "N 1 d h w", "HU or a.u.", "the same block in fewer, larger voxels: the input"
    ),
    "interpolated": Field(
        "N K D H W",
        "HU or a.u.",
        "the block spoilt by several factors (in a batch, by one drawn at random) and enlarged "
        "again by cubic splines",
        where=("train", "batch"),
    ),
}

QUESTION = Question(
    id="large_voxels",
    title="Super-resolution of CT and MR",
    fields=FIELDS,
    facts={
        "dims": "3: blocks of slices",
        "channels": "1",
        "range": "that images are clipped to before they are scored",
        "scale": "factors along (z, y, x) by which voxels became larger",
        "hounsfield": "whether values are HU; if not, -1000 is black and 1000 bright",
    },
    headline="psnr",
    metrics={
        "psnr": Metric(
            "dB", "higher", "Peak signal-to-noise ratio over -1000 to 1000 HU (MR: black to white)."
        ),
        "ssim": Metric(
            "",
            "higher",
            "Structural similarity over the same range, in the planes that lost detail.",
        ),
        "edge_distance": Metric(
            "", "lower", "Error of the gradients at the truth's edges; 1 means that they are gone."
        ),
        "edge_sharpness": Metric(
            "", "higher", "Gradients at the truth's edges, relative to the truth's; below 1: blur."
        ),
    },
    sources={
        f"{patients}/{kind}_x{factor}": sources
        for patients, sources in (
            ("chest_ct+lung_tumours", ("chest_ct", "lung_tumours")),
            ("chest_ct", ("chest_ct",)),
            ("brain_t1", ("brain_donors", "brain_mni")),
        )
        for factor in FACTORS
        for kind in KINDS
    },
    plans={
        "smoke": Plan(steps=6, batch=2, evaluations=2),
        "class": Plan(steps=300, batch=2, seconds=60),
        "long": Plan(steps=4500, batch=2, evaluations=12, seconds=900),
        "full": Plan(steps=40_000, batch=16, evaluations=40),
    },
    make=make,
    sample=sample,
    score=score,
    pictures=pictures,
    truth=truth,
    kinds=("chest_ct/bicubic_x3", "brain_t1/thick_x2"),
)
