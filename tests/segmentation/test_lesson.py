"""What the lesson on segmentation shows."""

import torch

from course_lib.lesson import spots
from course_lib.lesson.structures import structure_table
from course_lib.lesson.widgets import threshold


def test_spots_are_all_there_is_to_find_and_grow_with_their_radius(cases):
    shares = []
    for radius in (1.0, 3.0):
        parts = spots.spotted(cases, radius)
        label, image = parts.test["label"], parts.test["image"]
        changed = image != cases.test["image"]
        assert not (changed & (label == 0)).any()
        assert torch.allclose(image[label == 1], spots.DARKER * cases.test["image"][label == 1])
        assert parts.facts.classes == 2 and parts.facts.structures == ("spot",)
        assert parts.test.facts == parts.facts and cases.facts.classes == 6
        shares.append(spots.share(parts.train))
    assert 0 < shares[0] < shares[1] / 3
    perfect = spots.errors(parts.test["label"], parts.test)
    assert perfect == {"dice": 1, "missed": 0, "invented": 0}
    nothing = spots.errors(torch.zeros_like(parts.test["label"]), parts.test)
    assert nothing == {"dice": 0, "missed": 100, "invented": 0}


def test_a_table_says_dice_of_every_structure(cases):
    truth = cases.test["label"]
    found = torch.where(truth == 5, 0, truth)
    names = cases.facts.structures
    table = structure_table({"half": found}, cases.test.tensors, names, "Dice")
    assert [row[0] for row in table.rows] == list(names)
    assert [row[2] for row in table.rows] == ["1.00"] * 4 + ["0.00"]


def test_threshold_explorer_gives_the_dice_of_its_window():
    line = torch.arange(32) - 15.5
    label = (line[:, None] ** 2 + line**2 < 80).to(torch.uint8)
    image = label.float() * 0.6 + 0.2
    slice_of = threshold.Threshold(image, label)
    assert slice_of(1, 0.7, 0.9)[1] == 1 and slice_of(1, 0.0, 0.5)[1] == 0
    assert slice_of.best(1)[2] == 1
    explorer = threshold.threshold_explorer(image, label, ("disc",))
    explorer.controls["window"].value = (0.7, 1.0)
    assert "Dice 1.00" in repr(explorer)
