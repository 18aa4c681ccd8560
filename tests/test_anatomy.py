"""Populations of real anatomy: truth kept exactly, physics right, people kept apart.

They need `course data fetch`; the first run also completes one donor's head (some ten seconds).
"""

from itertools import pairwise

import numpy as np
import pytest
import torch

from course_lib.data import anatomy
from course_lib.data.anatomy import scanner, template, tissues
from course_lib.data.anatomy.render import Specimen, render
from course_lib.errors import CourseError
from course_lib.physics import fields

ONE = ("donor-9861",)
NUMBER = anatomy.labels("brain")


@pytest.fixture(scope="module")
def cases():
    """Three pairs of slices of one donor in every contrast."""
    contrasts = ("t1", "t2", "pd", "ct", "pet")
    return anatomy.population(6, size=96, contrasts=contrasts, subjects=ONE, repeats=2, site="A")


def test_the_field_carries_the_template_to_the_case(cases):
    still = anatomy.population(6, size=96, subjects=ONE, repeats=2, site="A", deformation=0.0)
    warped = fields.warp(still["label"].float(), cases["displacement"], mode="nearest")
    assert (warped == cases["label"]).float().mean() > 0.9
    unmoved = (still["label"] == cases["label"]).float().mean()
    assert unmoved < 0.85  # so the agreement above is the field's doing
    assert still["displacement"].abs().max() == 0


def test_the_inverse_undoes_the_field_without_folds(cases):
    there, back = cases["displacement"], cases["inverse"]
    middle = (..., slice(12, -12), slice(12, -12))
    assert fields.compose(there, back)[middle].abs().max() < 0.25
    assert fields.compose(back, there)[middle].abs().max() < 0.25
    assert fields.folding_percent(there).max() == 0
    assert there.abs().amax(dim=(1, 2, 3)).min() > 1


def test_landmarks_follow_the_field_exactly(cases):
    before, after = cases["template_landmarks"], cases["landmarks"]
    reached = fields.move_points(after, cases["displacement"])
    assert (reached - before).norm(dim=-1).max() < 0.02
    assert (after - before).norm(dim=-1).mean() > 1


def test_landmarks_lie_in_the_brain_and_those_of_the_rim_around_it(cases):
    brain = cases["label"] > NUMBER["csf"]
    bone_to_skin = (cases["label"] > 0) & (cases["label"] < NUMBER["csf"])
    for name, tissue, other in (("landmarks", brain, bone_to_skin), ("rim", bone_to_skin, brain)):
        points = cases[name].round().long().clamp(0, 95)
        near = torch.nn.functional.max_pool2d(tissue.float(), 3, 1, 1)[:, 0]
        row, column = points.unbind(-1)
        case = torch.arange(len(points))[:, None]
        assert points.shape == (6, 16, 2) and (near[case, row, column] == 1).float().mean() > 0.97
        assert other[:, 0][case, row, column].float().mean() < 0.15
    assert cases["landmarks"].std(1).min() > 5  # far from one another
    chest = anatomy.population(1, size=64, region="chest", contrasts=("ct",))
    assert "rim" not in chest.tensors and chest["landmarks"].shape == (1, 16, 2)


def test_pairs_of_one_template_have_a_true_field(cases):
    truth = anatomy.pair_field(cases, [0, 2, 4], [1, 3, 5])
    fixed, moving = cases["label"][::2].float(), cases["label"][1::2].float()
    agreement = (fields.warp(moving, truth, mode="nearest") == fixed).float().mean()
    assert agreement > 0.9 and agreement > (moving == fixed).float().mean() + 0.1
    with pytest.raises(CourseError, match="different templates"):
        anatomy.pair_field(cases, [0], [2])


def test_contrasts_have_their_order(cases):
    def median(contrast, tissue):
        return cases[contrast][cases["label"] == NUMBER[tissue]].median()

    for contrast, order in {
        "t1": ("csf", "grey_matter", "white_matter", "fat"),
        "t2": ("compact_bone", "white_matter", "grey_matter", "ventricle"),
        "pet": ("ventricle", "white_matter", "grey_matter", "putamen"),
        "ct": ("fat", "ventricle", "grey_matter", "compact_bone"),
    }.items():
        values = [float(median(contrast, tissue)) for tissue in order]
        assert values == sorted(values), (contrast, values)
    assert median("ct", "grey_matter") - median("ct", "white_matter") == pytest.approx(10, abs=5)
    assert cases["ct"].min() >= -1024 and median("ct", "background") < -950


def test_the_same_seed_gives_the_same_cases_whatever_their_number():
    draw = {"size": 64, "contrasts": ("t1", "ct", "pet"), "subjects": ONE, "seed": 4}
    two, five = anatomy.population(2, **draw), anatomy.population(5, **draw)
    for name, value in two.tensors.items():
        assert torch.allclose(value, five[name][:2], atol=1e-4), name
    other = anatomy.population(2, **draw | {"seed": 5})
    assert (two["t1"] - other["t1"]).abs().mean() > 0.01


def test_complex_images_have_the_magnitude_of_the_plain_ones():
    made = anatomy.population(2, size=64, contrasts=("t2",), subjects=ONE, phase=True)
    assert made["t2_complex"].dtype == torch.complex64
    assert torch.allclose(made["t2_complex"].abs(), made["t2"])
    signal = made["t2"] > 0.3
    angles = made["t2_complex"].angle()
    assert angles[signal].std() > 0.2
    turned = torch.polar(torch.ones_like(angles), angles)
    step = torch.angle(turned[..., 1:] / turned[..., :-1])[signal[..., 1:] & signal[..., :-1]]
    assert step.abs().median() < 0.3  # smooth


def test_noise_is_rician_with_the_scanner_s_level():
    machine = scanner.site("C")
    empty = Specimen(
        labels=torch.zeros(2, 128, 128, dtype=torch.long),
        detail=torch.zeros(2, 128, 128),
        measured={},
        region="brain",
        factor=2,
        pixel_mm=1.75,
        generators=[torch.Generator().manual_seed(k) for k in (0, 1)],
    )
    image = render(empty, [machine] * 2, ("t1",))["t1"]
    level = 0.5 * machine.noise
    # Without signal a magnitude is Rayleigh distributed.
    assert image.mean() == pytest.approx(level * np.sqrt(np.pi / 2), rel=0.02)
    assert image.std() == pytest.approx(level * np.sqrt(2 - np.pi / 2), rel=0.03)


def test_a_pixel_holds_the_mixture_that_it_covers():
    labels = torch.zeros(1, 64, 64, dtype=torch.long)
    labels[:, :, 33:] = NUMBER["grey_matter"]  # the border cuts pixel 16 into 1/2 and 1/2 …
    labels[:, :, 34:] = NUMBER["grey_matter"]
    machine = scanner.Scanner(**vars(scanner.site("B")) | {"ct_noise_hu": 0.0})
    made = Specimen(labels, torch.zeros(1, 64, 64), {}, "brain", 2, 1.0, [torch.Generator()])
    image = render(made, [machine], ("ct",))["ct"][0, 0, 16]
    grey = image[22:26].mean()
    assert image[16] == pytest.approx((grey - 1000).item() / 2, abs=60)
    assert image[8:12].mean() == pytest.approx(-1000, abs=10)


def test_signal_equations():
    pd, t1, t2 = (torch.tensor(v) for v in (0.8, 900.0, 90.0))
    assert scanner.Sequence(1e9, 0.0).signal(pd, t1, t2).item() == pytest.approx(0.8)
    assert scanner.Sequence(1e9, 90.0).signal(pd, t1, t2).item() == pytest.approx(0.8 / np.e)
    null = scanner.Sequence(1e9, 0.0, inversion_ms=900 * np.log(2)).signal(pd, t1, t2)
    assert null.item() == pytest.approx(0, abs=1e-4)
    # A spoiled gradient echo is strongest at the Ernst angle, cos α = exp(−TR/T1).
    ernst = float(np.degrees(np.arccos(np.exp(-20 / 900))))
    at = [scanner.Sequence(20, 1, ernst + d).signal(pd, t1, t2).item() for d in (-4, 0, 4)]
    assert at[1] == max(at)


def test_subjects_can_be_kept_apart():
    names = anatomy.subjects("brain")
    assert len(names) == 6 and len(anatomy.subjects("chest")) == 4
    made = anatomy.population(3, size=64, subjects=ONE)
    assert set(made.subject) == set(ONE)
    assert all(case.startswith("donor-9861/") for case in made.case)
    heights = [set(template.levels("chest", name)) for name in anatomy.subjects("chest")]
    for low, high in pairwise(heights):
        assert min(high) - max(low) >= 10  # mm between held-out blocks


def test_three_dimensions():
    made = anatomy.population(1, dims=3, size=32, contrasts=("t1",), subjects=ONE)
    assert made["t1"].shape == (1, 1, 32, 32, 32) and made["displacement"].shape[1] == 3
    back = fields.compose(made["displacement"], made["inverse"])[..., 5:-5, 5:-5, 5:-5]
    assert back.abs().max() < 0.25
    assert made.spacing_mm.tolist() == [[7.0] * 3]
    closer = anatomy.population(1, dims=3, size=32, contrasts=("t1",), subjects=ONE, spacing_mm=2.0)
    deep = [NUMBER[name] for name in ("thalamus", "caudate", "putamen")]
    assert torch.isin(closer["label"], torch.tensor(deep)).float().mean() > 0.05


def test_chest_ct_is_the_real_one():
    made = anatomy.population(2, size=128, contrasts=("ct", "t1"), region="chest", deformation=0.0)
    number = anatomy.labels("chest")
    lung = made["ct"][made["label"] == number["lung"]]
    assert lung.median() == pytest.approx(-870, abs=40)
    assert made["ct"][made["label"] == number["liver"]].median() == pytest.approx(73, abs=25)
    assert made.provenance["ct"].startswith("measured")


def test_tables_are_complete():
    for region, rows in tissues.TABLES.items():
        assert rows[0].name == "background" and len(tissues.labels(region)) == len(rows)
        low, high = tissues.table(region, 1.5), tissues.table(region, 3.0)
        soft = low["pd"] > 0.5
        assert (high["t1"][soft] > low["t1"][soft]).all()  # T1 grows with the field


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"contrasts": ("t3",)}, "Unknown contrast 't3'"),
        ({"region": "knee"}, "no region 'knee'"),
        ({"site": "Z"}, "no site 'Z'"),
        ({"subjects": ("donor-1",)}, "Unknown subject 'donor-1'"),
        ({"size": 30}, "multiple of 4"),
    ],
)
def test_what_cannot_be_drawn_is_refused(wrong, message):
    with pytest.raises(CourseError, match=message):
        anatomy.population(1, **wrong)
