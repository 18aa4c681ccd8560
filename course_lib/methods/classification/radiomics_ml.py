"""Radiomics and classical machine learning: what was done before networks (survey 4.1).

    outline → 34 features with names and units → those that another outline leaves alone (ICC)
    → standardise → the k best by analysis of variance → logistic regression, SVM, or forest

All of it is fitted on training cases only; which k and which classifier is chosen on validation.
Inside a cross-validation the selection would have to be repeated in every fold, which is why it is
one pipeline with the classifier (`parts.classification.learners`). Images (N, C, H, W) in their own
unit and masks (N, 1, H, W); out come probabilities (N, classes).

It is given what no network here gets: the readers' outline of each nodule, in the test as well.
`outline="threshold"` takes that away: then the bright region nearest to the middle is measured,
which may be a vessel or half the chest wall. Cases without an outline count as a whole.

Shrunk: 34 features of one slice instead of hundreds in 3D; no wavelets.

Source: the survey cites Han et al. 2019, Big Data Research 5(1). Definitions: Zwanenburg et al.
2020, Radiology 295(2):328-338, doi 10.1148/radiol.2020191145.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any, ClassVar

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts
from course_lib.errors import CourseError
from course_lib.methods.base import Classical
from course_lib.parts.classification.learners import Learner, Remembered
from course_lib.parts.classification.radiomics import (
    FEATURES,
    agreement,
    another_outline,
    radiomics,
    threshold_outline,
)

STABLE = 0.75
"""The intraclass correlation from which a feature counts as stable (the usual "good")."""


class RadiomicsML(Classical):
    """Measured features, selected, and a classifier.

    Arguments:
        outline: `readers`, or `threshold` for one that nobody drew (images only).
    Raises CourseError for another outline.
    """

    select: int | None = 5
    classifier: str = "logistic_1"
    grid: ClassVar[tuple[dict[str, Any], ...]] = tuple(
        {"select": count, "classifier": name}
        for count, name in product((1, 5, None), ("logistic_01", "logistic_1", "svm", "forest"))
    )

    def __init__(self, outline: str = "readers") -> None:
        if outline not in ("readers", "threshold"):
            raise CourseError(f"An outline is by 'readers' or 'threshold', not {outline!r}.")
        self.outline = outline

    def build(self, facts: Facts) -> None:
        """Forgets what was measured."""
        self.features = Remembered(lambda batch: {"all": self.measure(batch)}, ("image", "mask"))
        self.stability: dict[str, float] = {}
        self.stable = torch.ones(len(FEATURES), dtype=torch.bool)
        self.train: tuple[Tensor, Tensor] | None = None
        self.learner = Learner(self.classifier, facts.classes)

    def measure(self, batch: Mapping[str, Tensor]) -> Tensor:
        """The features of some cases, (N, features)."""
        return radiomics(batch["image"], batch["mask"], self.facts.window, self.facts.pixel_mm)

    def prepare(self, train: Cases) -> None:
        """Measures the training cases, with their outline and with a second one."""
        batch = self.outlined(train.tensors)
        first = self.features(batch)["all"]
        generator = torch.Generator().manual_seed(0)
        second = self.measure(batch | {"mask": another_outline(batch["mask"], generator)})
        correlation = agreement(first, second)
        self.stability = dict(zip(FEATURES, correlation.tolist(), strict=True))
        self.stable = correlation >= STABLE
        if not self.stable.any():
            self.stable = torch.ones_like(self.stable)
        self.train = first, train["label"].cpu()
        self.set({})

    def outlined(self, batch: Batch) -> Batch:
        """The batch with the outline that is to be measured."""
        if self.outline == "readers":
            return batch
        return batch | {"mask": threshold_outline(batch["image"], self.facts.window)}

    def set(self, settings: Mapping[str, Any]) -> None:
        """Takes on the number of features and the classifier, and fits anew."""
        super().set(settings)
        if self.train is not None:
            features, label = self.train
            self.learner = Learner(self.classifier, self.facts.classes, self.select)
            self.learner.fit(features[:, self.stable], label)

    def predict(self, batch: Batch) -> Tensor:
        """Probabilities (N, classes)."""
        features = self.features(self.outlined(batch))["all"][:, self.stable]
        return self.learner(features).to(batch["image"].device)
