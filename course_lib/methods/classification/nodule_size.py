"""The size of what was outlined, and nothing else: the ruler that every other method has to beat.

    score = logistic regression of log(area in mm²), fitted on training cases

Radiologists call large nodules suspicious, and so does this. Images (N, C, H, W) are not looked at,
masks (N, 1, H, W) are counted; out come probabilities (N, classes). Like radiomics it is given the
readers' outline, in the test as well; `outline="threshold"` takes that away.

Source: none; MacMahon et al. 2017, Radiology 284(1), doi 10.1148/radiol.2017161659 decide by size.
"""

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases
from course_lib.errors import CourseError
from course_lib.methods.base import Classical
from course_lib.parts.classification.learners import Learner
from course_lib.parts.classification.radiomics import threshold_outline


class NoduleSize(Classical):
    """`outline`: `readers`, or `threshold` for one that nobody drew (images only).

    Raises CourseError for another outline."""

    def __init__(self, outline: str = "readers") -> None:
        if outline not in ("readers", "threshold"):
            raise CourseError(f"An outline is by 'readers' or 'threshold', not {outline!r}.")
        self.outline = outline
        self.learner: Learner | None = None

    def prepare(self, train: Cases) -> None:
        """Fits the one coefficient."""
        self.learner = Learner("logistic_1", int(train["classes"][0]), None)
        self.learner.fit(self.logarithm(train.tensors), train["label"].cpu())

    def logarithm(self, batch: Batch) -> Tensor:
        """The logarithm of every case's outlined area in mm² (volume in mm³), (N, 1)."""
        mask = batch["mask"] if self.outline == "readers" else threshold_outline(batch)
        count = mask.flatten(1).sum(1).double().cpu()
        size = count * batch["pixel_mm"].double().cpu() ** (mask.ndim - 2)
        return size.clamp_min(1e-6).log()[:, None]

    def predict(self, batch: Batch) -> Tensor:
        """Probabilities (N, classes); before training all alike."""
        if self.learner is None:
            shape = len(batch["image"]), int(batch["classes"][0])
            return torch.full(shape, 1 / shape[1], device=batch["image"].device)
        return self.learner(self.logarithm(batch)).to(batch["image"].device)
