"""MR reconstruction of the user's own magnitudes with a simulated phase, or measured k-space."""

from dataclasses import replace

import torch

from course_lib.cases import PATH, Batch, Cases, join
from course_lib.data import own
from course_lib.data.own.kspace import KSpace
from course_lib.data.own.tables import listed
from course_lib.errors import CourseError
from course_lib.tasks import own_use
from course_lib.tasks.base import Splits
from course_lib.tasks.reconstruction_mr import few_samples, measured
from course_lib.tasks.reconstruction_mr.scans import SIZES, Scan, volume_cases

GROUPS = {"train": "training", "validation": "validation", "test": "other subjects"}


def make(dataset: str, profile: str, seed: int) -> Splits:
    """Samples the volumes that lie at `path:…`."""
    return own_cases(own.read(dataset), profile, seed)


def own_cases(data: own.OwnData, profile: str, seed: int) -> Splits:
    """The user's MR volumes (`Scans`, magnitudes) with a simulated phase, or measured k-space, in
    the given split or else split by subject, sampled as `cartesian_x4`.

    Raises CourseError for CT, whose pictures do not come from k-space, and for volumes of nothing.
    """
    if isinstance(data, KSpace):
        return measured_cases(data, profile, seed)
    data = own.expect(data, own.Scans, "reconstruction_mr")
    known = data.heads
    if ct := [head.case for head in known if head.unit == "HU"]:
        raise CourseError(
            f"reconstruction_mr needs MR magnitudes, but {listed(ct)} in {data.source} hold HU "
            "(CT). If they are MR: --unit a.u."
        )
    size, scan, below = SIZES[profile], Scan("cartesian", 4.0, SIZES[profile], seed), []
    each = {"train": size.training, "validation": size.validation, "test": size.test}
    total = {"train": size.training, "validation": 2 * size.validation, "test": 8 * size.test}
    use = own_use.shares(data, each, total, "slices")

    def part(word: str) -> Cases:
        found = []
        for volume in use.volumes(word):
            if volume.image.max() <= 0:
                raise CourseError(f"{volume.case} in {data.source} holds no value above 0.")
            below.extend([volume.case] if volume.image.min() < 0 else [])
            found.append(volume_cases(volume, use.each[word], GROUPS[word], scan))
        return join(found)

    parts = {word: part(word) for word in GROUPS}
    pixel_mm = float(parts["train"].spacing_mm.median())
    notes = [*data.told(), use.said, own_use.pixels(known, pixel_mm, f"{size.pixels} a side")]
    if below:
        notes.append(f"Magnitudes are not negative; values below 0 count as 0: {listed(below)}.")
    return Splits(**parts, notes=tuple(notes))


def measured_cases(data: KSpace, profile: str, seed: int) -> Splits:
    """Pictures of measured k-space, coils combined, of which samples are left out."""
    known = data.acquisitions
    names, subjects = [a.case for a in known], [a.subject for a in known]
    members = own.divided(data, names, subjects)
    size = SIZES[profile]
    side = measured.side_of(known, size.pixels)
    scan = Scan("cartesian", 4.0, replace(size, pixels=side), seed)
    total = {"train": size.training, "validation": 2 * size.validation, "test": 8 * size.test}
    kept = own_use.chosen(members, subjects, total)
    each = {
        "train": max(1, size.training // len(kept["train"])),
        "validation": size.validation,
        "test": size.test,
    }

    def part(word: str) -> Cases:
        rows = kept[word]
        return join([measured.cases(known[k], each[word], GROUPS[word], scan) for k in rows])

    used = {word: len(rows) for word, rows in kept.items()}
    there = {word: len(rows) for word, rows in members.items()}
    sides = sorted({max(a.kept) for a in known})
    notes = (
        *data.told(),
        own_use.used(used, there, "files"),
        f"Coils are combined to one picture of {side} x {side} from the middle of k-space "
        f"(files: {', '.join(map(str, sides))} a side); no noise is added.",
    )
    return Splits(part("train"), part("validation"), part("test"), notes=notes)


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """As of `few_samples`, but measured k-space gets no noise beyond its own."""
    batch = few_samples.sample(train, profile, count, generator)
    if train.provenance["target"] == measured.COMBINED:
        batch |= measured.without_noise(batch["target"], batch["mask"])
    return batch


QUESTION = replace(
    few_samples.QUESTION,
    id="own",
    title="Your own MR",
    sources={PATH: ()},
    make=make,
    sample=sample,
)
