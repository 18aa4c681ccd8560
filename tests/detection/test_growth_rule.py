"""The doubling-time rule against rules that see no image."""

from course_lib.methods.detection.growth_rule import GrowthRule
from course_lib.methods.detection.lag_alone import LagAlone
from course_lib.methods.detection.previous_label import PreviousLabel
from course_lib.tasks.detection import growth


def auc_of(method, batch):
    facts = growth.QUESTION.facts
    return float(growth.score(method.predict(batch), batch, facts)["auc"].mean())


def test_the_rule_measures_growth_and_no_rule_without_images_comes_near(training_series):
    batch, rule = training_series.tensors, GrowthRule()
    rule.set({"threshold": -700.0, "blur": 0.0})
    measured = auc_of(rule, batch)
    assert measured > 85
    rolled = batch | {"series": batch["series"].roll(1, 0)}  # another series' images
    assert auc_of(rule, rolled) < 75
    rule.dates = False
    assert auc_of(rule, batch) < 65
    for blind, most in ((LagAlone(), 75), (PreviousLabel(), 75), (LagAlone(label=True), 84)):
        blind.fresh(training_series.facts).prepare(training_series)
        assert 60 < auc_of(blind, batch) < min(most, measured - 4)
