"""The knob on a detector's threshold."""

import pytest

from course_lib.lesson.widgets.detector import Answers, detector_explorer
from course_lib.methods.detection.blob_detector import BlobDetector
from course_lib.metrics import detection as metrics
from course_lib.parts.detection import boxes as parts
from tests.detection.made_up import disc_batch


def test_the_threshold_moves_boxes_and_the_point_on_the_froc_curve():
    batch = disc_batch()
    answer = BlobDetector().predict(batch)
    answers = Answers(answer, batch)
    low, high = answers.range
    assert answers.point(high) == (0.0, 0.0) and answers.point(low - 1)[1] == 100.0
    found, truth = parts.as_lists(answer, batch)
    for rate in (0.5, 2.0):
        threshold = float(metrics.threshold(answers.alarms, rate * 4))
        alarms, share = answers.point(threshold)
        assert alarms <= rate
        assert share == pytest.approx(100 * float(metrics.froc(found, truth, rates=(rate,))))
    hits, alarms, true = answers.boxes(0, low - 1)
    assert len(hits) >= 1 and len(true) == 1 and len(hits) + len(alarms) == len(found[0].boxes)
    explorer = detector_explorer(answer, batch)
    before = explorer.picture.alt
    explorer.controls["threshold"].value = low
    assert explorer.picture.alt != before and "false alarms" in explorer.picture.alt
