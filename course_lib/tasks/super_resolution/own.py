"""Super-resolution of the user's own volumes: spoilt as in `bicubic_x3`, split by subject."""

from dataclasses import replace

import torch
from torch import Tensor

from course_lib.cases import PATH, Cases, join
from course_lib.data import own
from course_lib.data.own.tables import listed
from course_lib.errors import CourseError
from course_lib.tasks import own_use
from course_lib.tasks.base import Splits
from course_lib.tasks.super_resolution import blocks, large_voxels
from course_lib.tasks.super_resolution.large_voxels import OTHER_PATIENTS, SIZES

KIND, FACTOR, LEAST = "bicubic", 3, 24
GROUPS = {"train": "training", "validation": "validation", "test": OTHER_PATIENTS}


def make(dataset: str, profile: str, seed: int) -> Splits:
    """Cuts and spoils the volumes that lie at `path:…`."""
    return own_cases(own.read(dataset), profile, seed, own.parse(dataset)[1].skip)


def own_cases(data: own.OwnData, profile: str, seed: int, skip: bool = False) -> Splits:
    """Blocks of the user's volumes (`Scans`); native pixels are kept.

    Arguments:
        skip: leave out volumes that are smaller than one block.
    """
    size = SIZES[profile]
    data, side, told = large_enough(data, size.crop, skip)
    own_use.one_unit(data, data.heads)
    words = {"high_resolution": data.provenance, "low_resolution": f"simulated; {data.provenance}"}
    loss = blocks.Loss(KIND, blocks.factors(KIND, FACTOR), seed)
    hounsfield = all(head.unit == "HU" for head in data.heads)
    trained = 8 * len(size.train_blocks)
    use = own_use.shares(
        data,
        {"train": trained, "validation": 1, "test": size.test_blocks},
        {"train": trained, "validation": 8, "test": 16 * size.test_blocks},
        f"blocks of {blocks.DEPTH} x {side} x {side} voxels",
    )

    def part(word: str) -> Cases:
        found = []
        for volume in use.volumes(word):
            image, ct = torch.from_numpy(volume.image), volume.unit == "HU"
            fine = image.clamp(*blocks.RANGE) if ct else blocks.scaled(image)
            places = filled(fine, use.each[word], side, -500.0 if ct else -800.0)
            about = (volume.subject, volume.spacing_mm, GROUPS[word], words)
            found.append(
                blocks.cases(fine, places, side, *about, loss, hounsfield, name=volume.case)
            )
        return join(found)

    parts = {word: part(word) for word in GROUPS}
    parts["train"] = blocks.with_mixed_factors(parts["train"], loss)
    return Splits(**parts, notes=(*data.told(), *told, use.said))


def large_enough(
    data: own.OwnData, crop: int, skip: bool
) -> tuple[own.Scans, int, tuple[str, ...]]:
    """The user's volumes that hold a block, the side in pixels that blocks of all of them can
    have, and sentences on the others.

    Raises CourseError that names volumes smaller than one block, unless they may be left out.
    """
    data = own.expect(data, own.Scans, "super_resolution")
    known = data.heads
    small = [head for head in known if min(head.shape[1:]) < LEAST or head.shape[0] < blocks.DEPTH]
    if small and not (skip and len(small) < len(known)):
        said = listed(f"{head.case} has {' x '.join(map(str, head.shape))}" for head in small)
        raise CourseError(
            f"{said} voxels (z, y, x); a block needs at least {blocks.DEPTH} slices of {LEAST} x "
            f"{LEAST}. --skip leaves smaller volumes out."
        )
    kept = [place for place, head in enumerate(known) if head not in small]
    side = min(crop, *(min(known[place].shape[1:]) // 12 * 12 for place in kept))
    if not small:
        return data, side, ()
    return (
        own_use.only(data, kept),
        side,
        (f"Left out: {listed(head.case for head in small)}: smaller than a block.",),
    )


def filled(fine: Tensor, count: int, side: int, empty: float) -> list[tuple[int, int, int]]:
    """First voxels of up to `count` blocks, spread over the slices that show something (values
    above `empty`) and centred on it: air says nothing of detail."""
    inside = fine > empty
    rows = (inside.flatten(1).float().mean(1) > 0.02).nonzero()[:, 0].tolist() or [0, len(fine) - 1]
    first = max(0, min(rows[0], len(fine) - blocks.DEPTH))
    last = max(rows[-1] + 1, first + blocks.DEPTH)
    places = []
    for z, y, x in blocks.spread(last - first, count, side, fine.shape):
        found = inside[first + z : first + z + blocks.DEPTH].any(0).nonzero().float()
        if len(found):
            middle = found.median(0).values.tolist()
            y, x = (
                max(0, min(round(at) - side // 2, length - side))
                for at, length in zip(middle, fine.shape[1:], strict=True)
            )
        places.append((first + z, y, x))
    return places


QUESTION = replace(
    large_voxels.QUESTION,
    id="own",
    title="Your own volumes",
    sources={PATH: ()},
    make=make,
    kinds=(),
)
