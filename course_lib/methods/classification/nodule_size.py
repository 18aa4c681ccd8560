"""The size of what was outlined, and nothing else: the ruler that every other method has to beat.

    score = logistic regression of log(area in mm²), fitted on training cases

Radiologists call large nodules suspicious, and so does this. Images (N, C, H, W) are not looked at,
masks (N, 1, H, W) are counted; out come probabilities (N, classes). Like radiomics it is given the
readers' outline, in the test as well; `outline="threshold"` takes that away.

Source: none; MacMahon et al. 2017, Radiology 284(1), doi 10.1148/radiol.2017161659 decide by size.
"""

from torch import Tensor

from course_lib.cases import Batch, Cases, Facts
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

    def build(self, facts: Facts) -> None:
        """Forgets the coefficient."""
        self.learner = Learner("logistic_1", facts.classes)

    def prepare(self, train: Cases) -> None:
        """Fits the one coefficient."""
        self.learner.fit(self.logarithm(train.tensors), train["label"].cpu())

    def logarithm(self, batch: Batch) -> Tensor:
        """The logarithm of every case's outlined area in mm² (volume in mm³), (N, 1)."""
        readers, facts = self.outline == "readers", self.facts
        mask = batch["mask"] if readers else threshold_outline(batch["image"], facts.window)
        size = mask.flatten(1).sum(1).double().cpu() * facts.pixel_mm**facts.dims
        return size.clamp_min(1e-6).log()[:, None]

    def predict(self, batch: Batch) -> Tensor:
        """Probabilities (N, classes)."""
        return self.learner(self.logarithm(batch)).to(batch["image"].device)
