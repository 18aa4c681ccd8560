"""Super-resolution of the user's own volumes: spoilt as in `bicubic_x3`, split by subject."""

from dataclasses import replace

import torch

from course_lib.cases import PATH, Cases, join, parts
from course_lib.data import own
from course_lib.data.volume import Volume
from course_lib.errors import CourseError
from course_lib.tasks.base import Splits
from course_lib.tasks.super_resolution import blocks, large_voxels
from course_lib.tasks.super_resolution.large_voxels import OTHER_PATIENTS, SIZES

KIND, FACTOR = "bicubic", 3


def make(dataset: str, profile: str, seed: int) -> Splits:
    """Cuts and spoils the volumes that lie at `path:…`."""
    return own_cases(own.read(dataset), profile, seed)


def own_cases(data: own.OwnData, profile: str, seed: int) -> Splits:
    """Blocks of the user's volumes (`Scans`); native pixels are kept."""
    size = SIZES[profile]
    members, side = volumes(data, size.crop)
    words = {"high_resolution": data.provenance, "low_resolution": f"simulated; {data.provenance}"}
    loss = blocks.Loss(KIND, blocks.factors(KIND, FACTOR), seed)
    hounsfield = all(volume.unit == "HU" for found in members.values() for volume in found)

    def part(name: str, count: int, group: str) -> Cases:
        found = []
        for volume in members[name]:
            image = torch.from_numpy(volume.image)
            ct = volume.unit == "HU"
            fine = image.clamp(*blocks.RANGE) if ct else blocks.scaled(image)
            places = blocks.spread(len(fine), count, side, fine.shape)
            about = (volume.subject, volume.spacing_mm, group, words)
            found.append(blocks.cases(fine, places, side, *about, loss, hounsfield))
        return join(found)

    share = max(1, 8 * len(size.train_blocks) // len(members["train"]))
    return Splits(
        train=blocks.with_mixed_factors(part("train", share, "training"), loss),
        validation=part("validation", 1, "validation"),
        test=part("test", size.test_blocks, OTHER_PATIENTS),
    )


def volumes(data: own.OwnData, crop: int) -> tuple[dict[str, list[Volume]], int]:
    """The user's volumes by part, and the side in pixels that blocks of all of them can have.

    Raises CourseError for a volume that is smaller than one block.
    """
    data = own.expect(data, own.Scans, "super_resolution")
    small = min(data.volumes, key=lambda v: min(v.image.shape))
    side = min(crop, *(min(v.image.shape[1:]) // 12 * 12 for v in data.volumes))
    if side < 24 or min(len(v.image) for v in data.volumes) < blocks.DEPTH:
        raise CourseError(
            f"{small.subject} has {small.image.shape} voxels (z, y, x); a block needs at least "
            f"{blocks.DEPTH} slices of 24 x 24."
        )
    members = parts([v.subject for v in data.volumes])
    return {part: [data.volumes[i] for i in rows] for part, rows in members.items()}, side


QUESTION = replace(
    large_voxels.QUESTION,
    id="own",
    title="Your own volumes",
    sources={PATH: ()},
    make=make,
    kinds=(),
)
