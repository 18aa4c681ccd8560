"""The last lag and the previous label: what they see, and what they forget."""

import pytest
import torch

from course_lib.methods.detection.lag_alone import LagAlone
from course_lib.methods.detection.previous_label import PreviousLabel
from course_lib.physics import growth


def test_lag_alone_and_previous_label_see_no_image_and_no_label_of_the_visit(training_series):
    batch = training_series.batch(slice(0, 8))
    own = batch["growth"].clone()
    last = (batch["visits"] - 1)[:, None]
    own.scatter_(1, last, 1 - own.gather(1, last))
    other = batch | {"series": torch.zeros_like(batch["series"]), "growth": own}
    later = batch | {"days": 3 * batch["days"]}
    for blind, dated in (
        (LagAlone(), True),
        (LagAlone(label=True), True),
        (PreviousLabel(), False),
    ):
        blind.fresh(training_series.facts).prepare(training_series)
        fast = [blind.predict(each)["fast"].gather(1, last) for each in (batch, other, later)]
        assert torch.equal(fast[0], fast[1])
        assert torch.equal(fast[0], fast[2]) != dated
    assert blind.stays == pytest.approx(growth.STAYS, abs=0.04)


def test_fresh_rules_know_nothing(series):
    lag, label = LagAlone().fresh(series.facts), PreviousLabel().fresh(series.facts)
    batch = series.train.tensors
    assert (lag.predict(batch)["fast"] == 0.5).all()
    before = label.predict(batch)["fast"]
    for method in (lag, label):
        method.prepare(series.train)
        method.fresh(series.facts)
    assert (lag.predict(batch)["fast"] == 0.5).all()
    assert torch.equal(label.predict(batch)["fast"], before)
