"""Radiomics and classical machine learning: what was done before networks (survey 4.1, [93]).

    outline → 34 features with names and units → those that another outline leaves alone (ICC)
    → standardise → the k best by analysis of variance → logistic regression, SVM, or forest

All of it is fitted on training cases only; which k and which classifier is chosen on validation.
Inside a cross-validation the selection would have to be repeated in every fold, which is why it is
one pipeline with the classifier (`parts.learners`). Images (N, C, H, W) in their own unit and masks
(N, 1, H, W); out come probabilities (N, classes).

It is given what no network here gets: the readers' outline of each nodule, in the test as well.
`outline="threshold"` takes that away: then the bright region nearest to the middle is measured,
which may be a vessel or half the chest wall. Cases without an outline count as a whole.

Shrunk: 34 features of one slice instead of hundreds in 3D; no wavelets.

Source: the survey cites Han et al. 2019, Big Data Research 5(1). Definitions: Zwanenburg et al.
2020, Radiology 295(2):328-338, doi 10.1148/radiol.2020191145.
"""

from itertools import product
from typing import Any, ClassVar

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases
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

    grid: ClassVar[tuple[dict[str, Any], ...]] = tuple(
        {"select": count, "classifier": name}
        for count, name in product((1, 5, None), ("logistic_01", "logistic_1", "svm", "forest"))
    )

    def __init__(self, outline: str = "readers") -> None:
        if outline not in ("readers", "threshold"):
            raise CourseError(f"An outline is by 'readers' or 'threshold', not {outline!r}.")
        self.outline = outline
        self.select: int | None = 5
        self.classifier = "logistic_1"
        self.features = Remembered(lambda batch: {"all": radiomics(batch)}, ("image", "mask"))
        self.stability: dict[str, float] = {}
        self.stable = torch.ones(len(FEATURES), dtype=torch.bool)
        self.learner: Learner | None = None
        self.train: tuple[Tensor, Tensor, int] | None = None

    def prepare(self, train: Cases) -> None:
        """Measures the training cases, with their outline and with a second one."""
        batch = self.outlined(train.tensors)
        first = self.features(batch)["all"]
        generator = torch.Generator().manual_seed(0)
        second = radiomics(batch | {"mask": another_outline(batch["mask"], generator)})
        correlation = agreement(first, second)
        self.stability = dict(zip(FEATURES, correlation.tolist(), strict=True))
        self.stable = correlation >= STABLE
        if not self.stable.any():
            self.stable = torch.ones_like(self.stable)
        self.train = first, train["label"].cpu(), int(train["classes"][0])
        self.set({})

    def outlined(self, batch: Batch) -> Batch:
        """The batch with the outline that is to be measured."""
        return batch if self.outline == "readers" else batch | {"mask": threshold_outline(batch)}

    def set(self, settings: dict[str, Any]) -> None:
        """Takes on the number of features and the classifier, and fits anew."""
        super().set(settings)
        if self.train is not None:
            features, label, classes = self.train
            self.learner = Learner(self.classifier, classes, self.select)
            self.learner.fit(features[:, self.stable], label)

    def predict(self, batch: Batch) -> Tensor:
        """Probabilities (N, classes); before training all alike."""
        if self.learner is None:
            shape = len(batch["image"]), int(batch["classes"][0])
            return torch.full(shape, 1 / shape[1], device=batch["image"].device)
        features = self.features(self.outlined(batch))["all"][:, self.stable]
        return self.learner(features).to(batch["image"].device)
