"""Intensity windows: what brightness can tell."""

from course_lib.methods.segmentation.intensity_windows import IntensityWindows
from tests.segmentation.example import as_cases, disc


def test_intensity_windows_find_classes_that_brightness_tells_apart():
    batch = disc()
    cases = as_cases(batch)
    method = IntensityWindows().fresh(cases.facts)
    method.prepare(cases)
    assert (method.predict(batch) == batch["label"]).float().mean() > 0.99
    image = batch["image"].clone()
    image[..., :3, :3] = 1.0  # a bright spot elsewhere
    method.largest = True
    assert not method.predict(batch | {"image": image})[..., :3, :3].any()
