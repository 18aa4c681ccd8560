"""Pieces of whole batches, beside the same pieces cut one by one."""

import pytest
import torch

from course_lib.cases import Cases, Facts
from course_lib.parts import crops
from course_lib.tasks.segmentation import structures


def rng():
    return torch.Generator().manual_seed(3)


@pytest.mark.parametrize(("between", "space", "sides"), [
    ((), (9, 7), (4, 5)),
    ((2,), (9, 7), (9, 3)),
    ((2, 3), (5, 6), (1, 6)),
    ((1,), (5, 6, 7), (3, 2, 7)),
])  # fmt: skip
def test_boxes_are_those_that_slices_cut(between, space, sides):
    images = torch.randn(4, *between, *space, generator=rng())
    which = torch.tensor([3, 0, 3, 1, 2])
    corner = torch.stack(
        [
            torch.randint(n - m + 1, (5,), generator=rng())
            for n, m in zip(space, sides, strict=True)
        ],
        1,
    )
    found = crops.boxes(images, which, corner, sides)
    for one, number, first in zip(found, which, corner.tolist(), strict=True):
        cut = tuple(slice(a, a + m) for a, m in zip(first, sides, strict=True))
        assert torch.equal(one, images[number][(..., *cut)])


def test_every_image_is_turned_by_its_own_angle():
    images = torch.randn(8, 2, 5, 5, generator=rng())
    mirror, quarters = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1]), torch.tensor([0, 1, 2, 3] * 2)
    found = crops.turned(images, mirror, quarters)
    for one, image, flip, k in zip(found, images, mirror, quarters, strict=True):
        expected = torch.rot90(image.flip(-1) if flip else image, int(k), (-2, -1))
        assert torch.equal(one, expected)


def test_half_of_the_pieces_show_a_structure_that_is_drawn_first():
    """Of one voxel in a thousand of a stack, and of a structure that one stack does not have."""
    label = torch.zeros(2, 1, 10, 20, 20, dtype=torch.uint8)
    label[:, 0, 5, 3, 17], label[0, 0, 9, 19, 19] = 1, 2
    image = torch.arange(4000.0).view(1, 1, 10, 20, 20) + 4000 * torch.arange(2).view(2, 1, 1, 1, 1)
    names = ["a", "b"]
    train = Cases(
        {"image": image, "label": label, "kind": torch.tensor([7, 8])},
        names, names, names, torch.ones(2, 3), facts=Facts(dims=3, classes=3),
    )  # fmt: skip
    batch = structures.pieces(train, (4, 4, 40), 2000, rng())
    assert batch["image"].shape == batch["label"].shape == (2000, 1, 4, 4, 20)
    first = batch["image"][:, 0, 0, 0, 0].long()
    case = first // 4000
    assert torch.equal(batch["kind"], 7 + case)
    z, y = first % 4000 // 400, first % 400 // 20
    centred = (z == 3) & (y == 1)  # two voxels before the first structure's
    corner = (z == 6) & (y == 16) & (case == 0)  # as near as can be to the second's
    assert centred.float().mean() == pytest.approx(0.25, abs=0.05)
    assert corner[case == 0].float().mean() == pytest.approx(0.25, abs=0.05)
    rest = ~centred & ~corner
    assert set(z[rest].tolist()) == set(range(7)) and set(y[rest].tolist()) == set(range(17))
    both = (batch["label"] == 1).flatten(1).any(1)
    assert both[centred].all()
