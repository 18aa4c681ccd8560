"""The widget that turns a scanner's knobs before a fixed network."""

from course_lib import device
from course_lib.lesson.widgets.rescan import rescan_explorer
from course_lib.methods.frontier.domain_shift_benchmark import DomainShiftBenchmark
from course_lib.tasks.frontier import scanner_shift


def test_the_widget_shows_what_the_knobs_do(cases):
    still = scanner_shift.by_scanner(cases("scanner_shift/one_scanner").test)["A"]
    with device.seeded(0):
        method = DomainShiftBenchmark().fresh(still.facts)
    shown = rescan_explorer(method, still.batch(slice(0, 4)))
    before = shown.picture.alt
    shown.controls["noise"].value = 200
    assert "noise of 0 HU" in before and "noise of 200 HU" in shown.picture.alt
    assert all(f" {word}" in before for word in ("probability", "blur", "right"))
