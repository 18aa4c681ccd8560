"""Detection (survey section 4.2): find nodules in slices of lung, and growth in series of visits.

Two questions. **nodules**: where in this slice is a nodule? Slices are pieces of real CT, 128 mm
wide, with nodules of up to three put in: outlines drawn by radiologists, density by their ratings.
**series**: a nodule was seen at three to six visits; does it grow fast? Neither sizes nor dates
alone tell much; size over lag does (in `series/regular`, where all lags are equal, sizes do).

What is measured: the lungs and the outlines. What is simulated: the nodules' CT numbers, where they
lie, and in series the growth and the dates.

Nodule patients are split once, by a hash of their names. Lungs: the training patient's scan gives
blocks of slices with gaps of 10 mm, whose last is reported apart as of the same patient; four
others are only tested on. Their own tumours are in an `ignore` box: what is found there does not
count. Nobody has looked for further small nodules in these four scans, so a few false alarms may be
none.
"""

import zlib
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Batch, Cases, join, random_index
from course_lib.data import own
from course_lib.metrics import detection as metrics
from course_lib.metrics.classification import auc_per_case, brier
from course_lib.parts.detection.boxes import as_lists
from course_lib.tasks.base import Metric, Panel, Plan, Splits, Task
from course_lib.tasks.detection import drawn_boxes as detection_pictures
from course_lib.tasks.detection import growth as detection_series

PIXELS = 128
OTHER_PATIENTS, SAME_PATIENT = "other patients", "same patient, held-out block"
TRAIN_ROWS = (*range(8, 62), *range(96, 126))
VALIDATION_ROWS, TEST_ROWS = range(66, 74), range(78, 92)
OVERLAP = 0.2  # small nodules: a pixel more on each side of 5 halves the IoU


@dataclass(frozen=True)
class Size:
    """Cases: for training, validation, the held-out block, and of each other patient; how much
    longer the sets of series are, whose images are small."""

    training: int
    validation: int
    block: int
    patient: int
    series: int = 2


SIZES = {
    "smoke": Size(6, 2, 2, 1),
    "class": Size(240, 32, 24, 20),
    "full": Size(4000, 200, 100, 100, 4),
}


@lru_cache(maxsize=1)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """Puts nodules into the lungs. The seed decides which nodules and where; who is in which part
    is fixed. The latest cases are kept, because a lesson asks for the same ones several times."""
    from course_lib.data.lesions import grounds, slices

    where, kind = dataset.split("/")
    size, split = SIZES[profile], subject_split(list(slices.by_patient()))
    chest = grounds.chest()

    def part(word: str, group: str, ground, rows, count: int) -> Cases:
        name = "train" if group == "training" else group
        name = name if name in ("train", "validation") else "test"
        generator = torch.Generator().manual_seed(zlib.crc32(f"{word}/{seed}".encode()))
        drawer = slices.Drawer([p for p, side in split.items() if side == name], generator)
        if where == "series":
            how = (size.series * count, kind, generator)
            return detection_series.cases(ground, rows, drawer, *how, word, group)
        found = slices.nodule_slices(ground, rows, drawer, count, PIXELS, generator)
        return _cases(found, ground.volume.subject, word, group)

    tests = [part("block", SAME_PATIENT, chest, TEST_ROWS, size.block)]
    if where != "chest_ct":
        tests = [
            part(
                each.volume.subject,
                OTHER_PATIENTS,
                each,
                range(3, len(each.lung) - 3),
                size.patient,
            )
            for each in grounds.tumour_patients()
        ] + tests
    return Splits(
        train=part("training", "training", chest, TRAIN_ROWS, size.training),
        validation=part("validation", "validation", chest, VALIDATION_ROWS, size.validation),
        test=join(tests),
    )


def _cases(found: dict[str, Tensor], subject: str, word: str, group: str) -> Cases:
    count = len(found["image"])
    rows = found.pop("row").tolist()
    place = subject if word == subject else f"{subject}/{word}"
    found["part"] = torch.full((count,), int(group == OTHER_PATIENTS))
    found["classes"] = torch.ones(count, dtype=torch.long)
    return Cases(
        tensors=found,
        case=[f"{place}/{k:04d}/z{row:03d}" for k, row in enumerate(rows)],
        subject=[subject] * count,
        group=[group] * count,
        spacing_mm=torch.ones(count, 2),
        provenance={
            "image": "measured lung; nodules simulated from measured outlines and ratings",
            "boxes": "measured outlines, resampled and put in",
        },
    )


def own_cases(data: own.OwnData, profile: str, seed: int) -> Splits:
    """The user's pictures with boxes (COCO), each picture a subject of its own.

    Pictures shrink to 160 pixels along the longer side (256 in `full`) and get a margin, so that
    all have one size; colours become three channels. Black is -1000, white 400, as in a lung CT.
    """
    own.expect(data, own.Boxed, "detection")
    long = 256 if profile == "full" else 160
    scales = [long / max(image.shape[1:]) for image in data.images]
    shapes = [
        [max(1, round(n * scale)) for n in image.shape[1:]]
        for image, scale in zip(data.images, scales, strict=True)
    ]
    height, width = (-(-max(sides) // 16) * 16 for sides in zip(*shapes, strict=True))
    channels = max(len(image) for image in data.images)
    most = max(1, *(len(boxes) for boxes in data.boxes))
    count = len(data.images)
    pictures = torch.full((count, channels, height, width), -1000.0)
    boxes, labels = torch.zeros(count, most, 4), torch.full((count, most), -1)
    for k, (image, scale, shape) in enumerate(zip(data.images, scales, shapes, strict=True)):
        small = F.interpolate(
            torch.from_numpy(image)[None], size=shape, mode="bilinear", antialias=True
        )
        pictures[k, :, : shape[0], : shape[1]] = 1400 * small[0] - 1000
        boxes[k, : len(data.boxes[k])] = torch.from_numpy(data.boxes[k]) * scale
        labels[k, : len(data.boxes[k])] = torch.from_numpy(data.labels[k])
    whole = Cases(
        tensors={
            "image": pictures,
            "boxes": boxes,
            "labels": labels,
            "ignore": torch.zeros(count, 1, 4),
            "part": torch.zeros(count, dtype=torch.long),
            "classes": torch.full((count,), len(data.classes)),
        },
        case=list(data.names),
        subject=list(data.names),
        group=[OTHER_PATIENTS] * count,
        spacing_mm=torch.ones(count, 2),
        provenance={"image": data.provenance, "boxes": data.provenance},
    )
    members = parts(whole.subject)
    return Splits(**{name: whole.subset(rows) for name, rows in members.items()})


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """Whole training slices, drawn at random, half of them mirrored each way; or four times as
    many series, whose images are sixteen times smaller."""
    if "series" in train.tensors:
        return train.batch(random_index(train, 4 * count, generator))
    batch = train.batch(random_index(train, count, generator))
    height, width = batch["image"].shape[-2:]
    flip = torch.rand(2, count, generator=generator).to(batch["image"]) < 0.5
    there = (batch["labels"] >= 0)[..., None]
    for axis, extent in ((0, height), (1, width)):
        chosen = flip[axis]
        image, boxes = batch["image"], batch["boxes"]
        batch["image"] = torch.where(chosen[:, None, None, None], image.flip(axis + 2), image)
        mirrored = boxes.clone()
        mirrored[..., axis], mirrored[..., axis + 2] = (
            extent - boxes[..., axis + 2],
            extent - boxes[..., axis],
        )
        batch["boxes"] = torch.where(chosen[:, None, None] & there, mirrored, boxes)
    return batch


def score(prediction: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
    """For slices FROC, average precision and recall; for series AUC and Brier score. Each group of
    test patients is a set of its own."""
    if "series" in batch:
        return _in_groups(batch["part"], lambda chosen: _series_scores(prediction, batch, chosen))
    found, wanted = as_lists(prediction, batch)

    def boxes(chosen: list[int]) -> dict[str, Tensor]:
        ours, theirs = [found[k] for k in chosen], [wanted[k] for k in chosen]
        return {
            "froc": 100 * metrics.froc_per_case(ours, theirs),
            "average_precision": 100 * metrics.average_precision_per_case(ours, theirs, OVERLAP),
            "average_precision_50": 100 * metrics.average_precision_per_case(ours, theirs, 0.5),
            "recall": 100 * metrics.recall_per_case(ours, theirs),
        }

    return _in_groups(batch["part"], boxes)


def _series_scores(prediction, batch: Batch, chosen: list[int]) -> dict[str, Tensor]:
    last = (batch["visits"][chosen] - 1)[:, None]
    fast = prediction["fast"][chosen].gather(1, last)[:, 0]
    label = batch["growth"][chosen].gather(1, last)[:, 0].long()
    probabilities = torch.stack([1 - fast, fast], 1)
    return {"auc": 100 * auc_per_case(probabilities, label), "brier": brier(probabilities, label)}


def _in_groups(part: Tensor, judge) -> dict[str, Tensor]:
    """The scores of each group, in the order of the cases."""
    found: dict[str, Tensor] = {}
    for number in part.unique().tolist():
        chosen = (part == number).nonzero()[:, 0].tolist()
        for name, values in judge(chosen).items():
            whole = found.setdefault(name, torch.full((len(part),), torch.nan))
            whole[chosen] = values.float().cpu()
    return found


def pictures(prediction: dict[str, Tensor], batch: Batch) -> dict[str, Panel]:
    """Slices with the boxes drawn in; series with a bar for the answer under each visit."""
    if "series" in batch:
        return detection_series.pictures(prediction, batch)
    return detection_pictures.pictures(prediction, batch)


def _share(text: str) -> Metric:
    return Metric("%", "higher", text)


LIDC = ("chest_ct", "lidc_annotations")
TASK = Task(
    id="detection",
    title="Detection of nodules, and of their growth",
    survey="4.2",
    headline="froc",
    metrics={
        "froc": _share(
            "FROC score: mean share of nodules found at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false alarms "
            "per image. Found: the middle of a box lies in the nodule's box."
        ),
        "average_precision": _share(
            "Area under the precision-recall curve; found: IoU of 0.2 or more (nodules are small)."
        ),
        "average_precision_50": _share("The same with an IoU of 0.5 or more: well-fitting boxes."),
        "recall": _share("Share of an image's nodules found at 1 false alarm per image."),
        "auc": _share(
            "Area under the ROC curve for fast growth before the last visit; chance is 50."
        ),
        "brier": Metric("", "lower", "Brier score of the last visit's probabilities, 0 to 2."),
    },
    sources={
        "chest_ct+lung_tumours/nodules": (*LIDC, "lung_tumours"),
        "chest_ct/nodules": LIDC,
        "series/irregular": (*LIDC, "lung_tumours"),
        "series/regular": (*LIDC, "lung_tumours"),
    },
    plans={
        "smoke": Plan(steps=3, batch=2, evaluations=1),
        "class": Plan(steps=250, batch=8, evaluations=4),
        "full": Plan(steps=30_000, batch=16, evaluations=30),
    },
    make=make,
    sample=sample,
    score=score,
    pictures=pictures,
    lesson="05_classification_detection/02_detection",
    own=own_cases,
    asks={
        name: ("froc", "average_precision", "average_precision_50", "recall")
        for name in ("chest_ct+lung_tumours", "chest_ct", own.PATH)
    }
    | {"series": ("auc", "brier")},
)
