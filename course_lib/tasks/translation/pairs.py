"""Translation between modalities: CT from MR, T2 from T1 (survey section 2.2.2).

The same heads are drawn as T1, T2 and CT, so every test case has its truth. The anatomy's label
maps were measured (six donors); contrast, noise and shading are simulated, and so are the skull
and scalp that surround the cortex. One site's scanner takes all pictures, as in one hospital.

Training sets differ in what lies beside the source image:

    aligned             the same head on the same grid
    misaligned_6mm      the same head, shifted and bent by a root mean square of 6 mm
    unpaired            another head: sources and targets come from different donors
    unpaired_few        the same, with a tenth of the images

Validation and test pairs are always aligned; for unpaired training they are hidden pairs that only
the scores see. Methods that need no pairs read `unpaired_target`, which `sample` draws
independently of the source, whatever the data set.

`hippocampus_t1t2` holds measured pixels: T1 and T2 of one average brain. It is a demonstration:
trained on the left hemisphere, tested on the right one of the same average.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, join, random_index
from course_lib.data import own
from course_lib.data.anatomy import population, subjects
from course_lib.errors import CourseError
from course_lib.metrics import image as image_metrics
from course_lib.metrics import segmentation, texture
from course_lib.physics import fields
from course_lib.physics.misalignment import misalignment
from course_lib.tasks.base import Metric, Panel, Plan, Splits, Task
from course_lib.tasks.translation.measured_pairs import HU_LIMITS, limits_of, slices, spread

SITE = "A"
BONE_HU = 300.0
MR_LIMITS = (0.0, 1.6)
"""The brightest pixels of site A, in its arbitrary units; the same range for every image."""
PAIRS = {"mr_to_ct": ("t1", "ct"), "t1_to_t2": ("t1", "t2")}
MISALIGNED_MM = (3, 6, 12)
TRAINING, VALIDATION, TEST = (0, 1, 2), (3,), (4, 5)  # donors
IN_ANY_UNIT = ("psnr", "ssim", "edge_distance", "edge_sharpness")
SAME_PATIENT = "same patient, other hemisphere"


@dataclass(frozen=True)
class Size:
    """Pixels along a side, and how many images each part holds."""

    pixels: int
    training: int
    validation: int
    test: int


SIZES = {
    "smoke": Size(48, 8, 2, 4),
    "class": Size(80, 240, 8, 24),
    "full": Size(192, 1500, 48, 120),
}
TRAINING_SEED, VALIDATION_SEED, TEST_SEED, MOVE_SEED = 1000, 1, 2, 3


@lru_cache(maxsize=1)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """Draws heads. The seed decides the training images; validation and test cases are fixed."""
    size = SIZES[profile]
    if dataset == "hippocampus_t1t2":
        return _hippocampus(size)
    pair, kind = dataset.split("/")
    return Splits(
        train=_training(pair, kind, size, seed),
        validation=_pairs(pair, size.pixels, size.validation, VALIDATION, VALIDATION_SEED),
        test=_pairs(pair, size.pixels, size.test, TEST, TEST_SEED),
    )


def _pairs(pair: str, pixels: int, count: int, donors: tuple[int, ...], seed: int) -> Cases:
    """Aligned pairs of some donors' heads."""
    names = subjects("brain")
    source, target = PAIRS[pair]
    drawn = population(
        count,
        size=pixels,
        contrasts=(source, target),
        seed=seed,
        site=SITE,
        subjects=[names[k] for k in donors],
    )
    limits = {"ct": HU_LIMITS}
    return Cases(
        tensors={
            "source": drawn[source],
            "target": drawn[target],
            "head": drawn["label"] > 0,
            "pixel_mm": drawn.spacing_mm[:, 0].clone(),
            "source_range": torch.tensor(limits.get(source, MR_LIMITS)).expand(count, 2).clone(),
            "target_range": torch.tensor(limits.get(target, MR_LIMITS)).expand(count, 2).clone(),
        },
        case=drawn.case,
        subject=drawn.subject,
        group=["test"] * count,
        spacing_mm=drawn.spacing_mm,
        provenance={
            "source": f"simulated {source} of measured label maps",
            "target": f"simulated {target} of measured label maps",
            "head": "measured and modelled label maps",
        },
    )


def _training(pair: str, kind: str, size: Size, seed: int) -> Cases:
    """The training images: `target` is what the data set's kind puts beside the source."""
    seed = TRAINING_SEED + 2 * seed
    if not kind.startswith("unpaired"):
        cases = _pairs(pair, size.pixels, size.training, TRAINING, seed)
        if kind != "aligned":
            moved = misaligned(cases, float(kind.removeprefix("misaligned_").removesuffix("mm")))
            cases.tensors["target"] = moved
        return cases
    count = max(2, size.training // 10) if kind == "unpaired_few" else size.training
    cases = _pairs(pair, size.pixels, count, TRAINING[:2], seed)
    other = _pairs(pair, size.pixels, count, TRAINING[2:], seed + 1)
    return Cases(
        tensors=cases.tensors | {"target": other["target"]},
        case=[f"{a} + {b}" for a, b in zip(cases.case, other.case, strict=True)],
        subject=[f"{a} + {b}" for a, b in zip(cases.subject, other.subject, strict=True)],
        group=cases.group,
        spacing_mm=cases.spacing_mm,
        provenance=cases.provenance,
    )


def misaligned(cases: Cases, mm: float) -> Tensor:
    """The cases' targets, each moved by its own displacement of `mm`, (N, 1, H, W)."""
    target, generator = cases["target"], torch.Generator().manual_seed(MOVE_SEED)
    pixel_mm = float(cases.spacing_mm[0, 0])
    moves = misalignment(len(target), target.shape[-1], mm, pixel_mm, generator)
    return fields.warp(target, moves, "bicubic")


def _hippocampus(size: Size) -> Splits:
    """Slices of a measured T1/T2 pair: the left hemisphere trains; of the right one, the lower
    part validates and the rest, after a gap of 6 mm, is tested. One person, on average."""
    from course_lib.data.sets import hippocampus

    left, right = (replace(v, subject="CITI168") for v in hippocampus.load())
    limits, depth = limits_of([left], "t2w"), len(left.image)
    first, gap = depth // 5, round(6 / left.spacing_mm[0])
    rows = {
        "training": (left, spread(0, depth, size.training)),
        "validation": (right, spread(0, first, size.validation)),
        SAME_PATIENT: (right, spread(first + gap, depth, size.test)),
    }
    return Splits(*(slices(v, "t2w", z, size.pixels, g, limits) for g, (v, z) in rows.items()))


def own_cases(data: own.OwnData, profile: str, seed: int) -> Splits:
    """The user's pairs (`source/` and `target/` of equal names): slices, split by subject.

    Raises CourseError when a volume has no target.
    """
    own.expect(data, own.Scans, "translation")
    lonely = [v.subject for v in data.volumes if "target" not in v.labels]
    if lonely:
        raise CourseError(
            f"{lonely[0]} has no target. Put the volumes to start from into source/ and those to "
            "arrive at into target/, on the same grid and under the same names."
        )
    size, members = SIZES[profile], parts([v.subject for v in data.volumes])
    limits = limits_of([data.volumes[k] for k in members["train"]], "target")

    def part(name: str, count: int) -> Cases:
        found = [data.volumes[k] for k in members[name]]
        each = max(1, count // len(found))
        rows = [spread(len(v.image) // 5, len(v.image) - len(v.image) // 5, each) for v in found]
        picked = zip(found, rows, strict=True)
        return join([slices(v, "target", z, size.pixels, name, limits) for v, z in picked])

    return Splits(
        train=part("train", size.training),
        validation=part("validation", size.validation),
        test=part("test", size.test),
    )


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """Whole training cases, and as `unpaired_target` targets drawn independently of them."""
    batch = train.batch(random_index(train, count, generator))
    return batch | {"unpaired_target": train["target"][random_index(train, count, generator)]}


def score(prediction: Tensor, batch: Batch) -> dict[str, Tensor]:
    """Errors inside the head, structure, bone and its border, and the edges."""
    target, limits = batch["target"], batch["target_range"].view(-1, 2, 1, 1, 1)
    low, high = limits[:, 0], limits[:, 1]
    prediction = prediction.maximum(low).minimum(high)
    target = target.maximum(low).minimum(high)
    span, head = (high - low).flatten(), batch["head"]
    inside = head.flatten(1).sum(1)
    error = ((prediction - target) * head).flatten(1)
    squared = error.square().sum(1) / inside
    hounsfield = low.flatten() < 0  # MR has no unit whose errors could be compared.
    undefined = torch.full_like(span, torch.nan)
    bones = [image > BONE_HU for image in (prediction, target)]
    border = segmentation.assd_mm(*bones, _pixel_mm(batch))[:, 0].to(span)
    return {
        "psnr": 10 * torch.log10(span.square() / squared),
        "mae": (error.abs().sum(1) / inside).where(hounsfield, undefined),
        "ssim": image_metrics.ssim(prediction - low, target - low, span),
        "bone_dice": segmentation.dice(*bones)[:, 0].where(hounsfield, undefined),
        "bone_distance": border.where(hounsfield, undefined),
        "edge_distance": texture.edge_distance(prediction, target),
        "edge_sharpness": texture.edge_sharpness(prediction, target),
    }


def _pixel_mm(batch: Batch) -> Tensor:
    """Side of a pixel (N, 2) in mm."""
    return batch["pixel_mm"][:, None].expand(-1, 2)


def pictures(prediction: Tensor, batch: Batch) -> dict[str, Panel]:
    """Source, output, truth, and output minus truth."""
    limits = batch["target_range"][0].tolist()
    hounsfield = limits[0] < 0
    window, unit = ((-200.0, 1200.0), "HU") if hounsfield else ((limits[0], limits[1]), "a.u.")
    largest = 500.0 if hounsfield else (limits[1] - limits[0]) / 4
    source = tuple(batch["source_range"][0].tolist())
    output, truth = prediction[:, 0], batch["target"][:, 0]
    return {
        "input": Panel(batch["source"][:, 0], "grey", source, "a.u.", shared=True),
        "output": Panel(output, "grey", window, unit, shared=False),
        "truth": Panel(truth, "grey", window, unit, shared=True),
        "error": Panel(output - truth, "signed", (-largest, largest), unit, shared=False),
    }


TASK = Task(
    id="translation",
    title="Translation between modalities",
    survey="2.2.2",
    headline="psnr",
    metrics={
        "psnr": Metric(
            "dB", "higher", "Peak signal-to-noise ratio inside the head (range 2500 HU for CT)."
        ),
        "mae": Metric("HU", "lower", "Mean absolute error inside the head."),
        "ssim": Metric("", "higher", "Structural similarity of the whole image."),
        "bone_dice": Metric("", "higher", "Overlap of bone, all above 300 HU."),
        "bone_distance": Metric(
            "mm", "lower", "Mean distance of the bone's surfaces; the diagonal where none is drawn."
        ),
        "edge_distance": Metric(
            "", "lower", "Error of the gradients at the truth's edges; 1 means that they are gone."
        ),
        "edge_sharpness": Metric(
            "",
            "higher",
            "Gradients at the truth's edges, relative to the truth's; below 1: blurred or moved.",
        ),
    },
    sources={
        f"{pair}/{kind}": ("brain_donors", "brain_mni")
        for pair in PAIRS
        for kind in (
            "aligned",
            *(f"misaligned_{mm}mm" for mm in MISALIGNED_MM),
            "unpaired",
            "unpaired_few",
        )
    }
    | {"hippocampus_t1t2": ("hippocampus_t1t2",)},
    plans={
        "smoke": Plan(steps=4, batch=1, evaluations=2),
        "class": Plan(steps=400, batch=1, evaluations=4),
        "full": Plan(steps=60_000, batch=4, evaluations=20),
    },
    make=make,
    sample=sample,
    score=score,
    pictures=pictures,
    lesson="02_synthesis/02_translation",
    own=own_cases,
    asks=dict.fromkeys(("t1_to_t2", "hippocampus_t1t2"), IN_ANY_UNIT),
)
