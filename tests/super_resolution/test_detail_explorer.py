"""The detail knob of the lesson."""

import pytest

from course_lib.lesson.widgets.detail import detail_explorer, lost_detail


@pytest.fixture
def cases(splits):
    return splits("super_resolution")


def test_detail_explorer_moves_and_says_what_it_shows(cases):
    image = cases.validation["high_resolution"][0, 0, 6]
    explorer = detail_explorer(image, 2.5)
    before = explorer.screen.value
    explorer.controls["factor"].value = 6
    explorer.controls["kind"].value = "k-space truncation"
    assert explorer.screen.value != before
    assert "k-space truncation by 6" in explorer.picture.alt and "15.0 mm" in explorer.picture.alt


def test_more_detail_lost_is_more_error(cases):
    image = cases.validation["high_resolution"][0, 0, 6]
    for kind in ("bicubic", "blur", "kspace"):
        errors = [(lost_detail(image, factor, kind)[1] - image).std() for factor in (2, 3, 6)]
        assert errors == sorted(errors)
