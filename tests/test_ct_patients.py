"""Testing CT methods on more patients: needs `course data fetch tumour_scans organ_scans`."""

import pytest
import torch

from course_lib.data import fetch
from course_lib.tasks import ct_scans
from course_lib.tasks.denoising import low_dose
from course_lib.tasks.reconstruction_ct import few_views

VIEWS = next(iter(few_views.ACQUISITIONS))


@pytest.mark.parametrize(
    ("task", "end"), [(low_dose, ""), (few_views, f"/{VIEWS}")], ids=["denoising", "few views"]
)
def test_four_whole_bodies_join_the_four_crops_and_training_stays_what_it_was(task, end):
    for name in ("tumour_scans", "organ_scans"):
        if not fetch.is_fetched(name):
            pytest.skip(f"needs `course data fetch {name}`")
    few = task.make(f"chest_ct+lung_tumours{end}", "smoke", 0)
    many = task.make(f"chest_ct+eight_patients{end}", "smoke", 0)
    for name, values in few.train.tensors.items():
        assert torch.equal(values, many.train[name]), "whoever tests more trains on the same"
    pairs = zip(many.test.subject, many.test.group, strict=True)
    others = {subject for subject, group in pairs if group == ct_scans.OTHER_PATIENTS}
    assert len(others) == 8 and not others & set(many.train.subject)
    assert others > {s for s in few.test.subject if s not in many.train.subject}
    region = dict(zip(many.test.subject, many.test["region"].tolist(), strict=True))
    sides = {who: (b - t) * (r - left) for who, (t, left, b, r) in region.items()}
    whole = [size for who, size in sides.items() if who.startswith(("tumour_", "organ_"))]
    assert len(whole) == 4 and min(whole) > max(
        size for who, size in sides.items() if who.startswith("lung_tumours")
    )
    for name in ("low_dose", "normal_dose", "target"):
        if name in many.test.tensors:
            assert many.test[name].isfinite().all()
