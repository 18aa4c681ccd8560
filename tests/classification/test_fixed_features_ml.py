"""Fixed features: what stays as it was."""

from course_lib import catalogue
from course_lib.fit import fit, predict
from course_lib.methods.classification.fixed_features_ml import FixedFeaturesML
from course_lib.parts.classification import backbone
from course_lib.parts.pretrained import efficientnet_lite0
from course_lib.tasks.base import Splits


def test_fixed_features_leave_the_network_as_it_was(cases):
    method = FixedFeaturesML()
    before = backbone.fingerprint(efficientnet_lite0())
    parts = Splits(cases.train, cases.validation.subset([0, 1, 2]), cases.test)
    question = catalogue.question("classification", "nodules/300")
    fit(method, question, parts, profile="smoke", seed=0, progress=False)
    predict(method, cases.test.subset([0]))
    assert backbone.fingerprint(method.network) == before
    method.network._conv_stem.weight.data[0, 0, 0, 0] += 1e-3
    assert backbone.fingerprint(method.network) != before
