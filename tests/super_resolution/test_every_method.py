"""What all networks of super-resolution share."""

import pytest
import torch

from course_lib import catalogue
from course_lib.fit import fit
from course_lib.tasks.base import Plan
from course_lib.tasks.super_resolution import large_voxels


@pytest.mark.parametrize("dataset", ["bicubic_x2", "thick_x4"])
@pytest.mark.parametrize("method", ("srcnn", "espcn", "recnn_3d", "csn"))
def test_every_method_learns_at_other_factors_in_plane_and_through_plane(method, dataset):
    parts = large_voxels.make(f"chest_ct/{dataset}", "smoke", 0)
    model = catalogue.build(method)
    fit(
        model,
        large_voxels.QUESTION,
        parts,
        profile="smoke",
        seed=0,
        plan=Plan(2, 1, 1),
        progress=False,
    )
    with torch.inference_mode():
        prediction = model.predict(parts.test.tensors)
    assert prediction.shape == parts.test["high_resolution"].shape
    assert torch.isfinite(prediction).all()


def test_references_are_the_surveys():
    refs = {e.id: e.ref for e in catalogue.methods("super_resolution") if not e.baseline}
    assert refs == {"srcnn": None, "espcn": None, "recnn_3d": 11, "csn": 14}
