"""Radiomics and a classifier: what is selected, and from what."""

import numpy as np
import torch

from course_lib.methods.classification.radiomics_ml import RadiomicsML
from course_lib.parts.classification.learners import Learner
from course_lib.parts.classification.radiomics import FEATURES


def test_selection_inside_the_folds_finds_nothing_in_noise_and_outside_it_does():
    from sklearn.feature_selection import SelectKBest, f_classif
    from sklearn.model_selection import cross_val_score

    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((60, 2000)), np.repeat([0, 1], 30)
    pipeline = Learner("logistic_01", 2, select=5).build()
    inside = cross_val_score(pipeline, x, y, cv=5, scoring="roc_auc").mean()
    leaked = SelectKBest(f_classif, k=5).fit_transform(x, y)
    plain = Learner("logistic_01", 2).build()
    outside = cross_val_score(plain, leaked, y, cv=5, scoring="roc_auc").mean()
    assert inside < 0.65 and outside > 0.8


def test_three_kinds_of_classifier_and_several_numbers_of_features_are_compared():
    kinds = {settings["classifier"].split("_")[0] for settings in RadiomicsML.grid}
    assert kinds == {"logistic", "svm", "forest"}
    assert {settings["select"] for settings in RadiomicsML.grid} == {1, 5, None}


def test_size_is_stable_where_lbp_is_not(cases):
    method = RadiomicsML().fresh(cases.facts)
    method.prepare(cases.train)
    assert method.stability["area"] > 0.9
    assert method.stability["area"] > method.stability["lbp_0"]
    assert 3 < int(method.stable.sum()) < len(FEATURES)


def test_with_outlines_by_threshold_it_never_looks_at_the_readers(cases):
    batch = cases.test.tensors | {"mask": torch.zeros_like(cases.test["mask"])}
    method = RadiomicsML(outline="threshold").fresh(cases.facts)
    method.prepare(cases.train)
    blind, seeing = (method.predict(b) for b in (batch, cases.test.tensors))
    assert torch.equal(blind, seeing)


def test_another_pixel_size_is_measured_anew(cases):
    """The same image and mask in other facts: nothing remembered may come back."""
    method, seen = RadiomicsML(), []
    for pixel_mm in (0.5, 1.0):
        method.fresh(cases.facts | {"pixel_mm": pixel_mm}).prepare(cases.train)
        seen.append(method.features(cases.train.tensors)["all"])
    area = list(FEATURES).index("area")
    assert torch.allclose(seen[1][:, area], 4 * seen[0][:, area])
