"""Exercise of the start page: the display window of a CT image."""

import numpy as np

from course_lib.lesson.exercise import Exercise, expect


def window(hu, centre, width):
    """Grey value 0…1 of Hounsfield units `hu` in the display window `centre` ± `width` / 2."""
    lowest = centre - width / 2
    return np.clip((hu - lowest) / width, 0, 1)


def check(candidate):
    """Looks at the ends, the middle, what lies outside, and a second window."""
    hu = np.array([[-1000.0, -160.0, 40.0], [240.0, 40.0, 2000.0]])
    before = hu.copy()
    grey = candidate(hu, 40.0, 400.0)
    expect(np.array_equal(hu, before), "Your function changes its input. Make a new array instead.")
    expect(grey is not None, "Your function returns nothing. Is the `return` missing?")
    grey = np.asarray(grey)
    expect(grey.shape == hu.shape, f"The shape should stay {hu.shape}, yours is {grey.shape}.")
    expect(
        grey.dtype.kind == "f",
        f"Grey values between 0 and 1 need fractions; yours are of type {grey.dtype}.",
    )
    _expect_grey(grey[0, 2], 0.5, "The centre of the window (40 HU) should become 0.5, mid-grey")
    _expect_grey(grey[0, 1], 0.0, "The lower end (centre - width / 2 = -160 HU) should become 0")
    _expect_grey(grey[1, 0], 1.0, "The upper end (centre + width / 2 = 240 HU) should become 1")
    _expect_grey(grey[0, 0], 0.0, "Air (-1000 HU) lies below this window and should become 0")
    _expect_grey(grey[1, 2], 1.0, "Metal (2000 HU) lies above this window and should become 1")
    lung = np.asarray(candidate(np.array([-1350.0, -975.0, -600.0, 150.0]), -600.0, 1500.0))
    for value, wanted in zip(lung, (0.0, 0.25, 0.5, 1.0), strict=True):
        _expect_grey(value, wanted, f"In the lung window (-600 ± 750 HU) {wanted} was expected")


def _expect_grey(value, wanted, sentence):
    expect(np.isfinite(value) and abs(value - wanted) < 1e-4, f"{sentence}; it became {value:.3g}.")


def _with_where(hu, centre, width):
    grey = (hu - centre) / width + 0.5
    return np.where(grey < 0, 0.0, np.where(grey > 1, 1.0, grey))


def _with_interp(hu, centre, width):
    return np.interp(hu, [centre - width / 2, centre + width / 2], [0.0, 1.0])


def _in_place(hu, centre, width):
    hu -= centre - width / 2
    hu /= width
    return np.clip(hu, 0, 1)


EXERCISES = (
    Exercise(
        id="start.window",
        title="The display window",
        hints=(
            "Where does the window begin, and where does it end? Half the width lies on each "
            "side of the centre.",
            "A straight line takes the lower end to 0 and the upper end to 1; what leaves "
            "0…1 is cut off.",
            "lowest = centre - width / 2, then (hu - lowest) / width, then np.clip(…, 0, 1).",
        ),
        checker=check,
        answer=window,
        right=(_with_where, _with_interp),
        wrong=(
            (lambda hu, c, w: (hu - (c - w / 2)) / w, "does not cut off what lies outside"),
            (lambda hu, c, w: np.clip((hu - c) / w, 0, 1), "begins at the centre"),
            (lambda hu, c, w: np.clip((hu - (c - w)) / (2 * w), 0, 1), "takes width as half width"),
            (lambda hu, c, w: 1 - window(hu, c, w), "is a negative"),
            (lambda hu, c, w: 255 * window(hu, c, w), "counts grey to 255"),
            (lambda hu, c, w: window(hu, c, w).astype(int), "rounds to whole numbers"),
            (lambda hu, c, w: (hu - hu.min()) / np.ptp(hu), "stretches the image's own range"),
            (lambda hu, c, w: window(hu, 40.0, 400.0), "knows only one window"),
            (_in_place, "changes its input"),
        ),
    ),
)
