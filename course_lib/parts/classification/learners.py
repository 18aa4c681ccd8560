"""Classical classifiers behind one door, and features that are worked out once per case."""

import hashlib
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_lib.errors import CourseError

CLASSIFIERS = ("logistic_001", "logistic_01", "logistic_1", "svm", "forest")


class Learner:
    """Standardise, select, classify; every step is fitted on the same training cases.

    Arguments:
        classifier: `logistic_001`, `logistic_01`, `logistic_1` (with C of 0.01, 0.1, 1), `svm`
            (radial basis functions; its probabilities by a logistic function of its margin, fitted
            on held-out folds) or `forest` (100 trees).
        classes: C of the probabilities.
        select: how many features to keep by analysis of variance; None: all.
    Raises CourseError for an unknown classifier.
    """

    def __init__(self, classifier: str, classes: int, select: int | None = None) -> None:
        if classifier not in CLASSIFIERS:
            known = ", ".join(CLASSIFIERS)
            raise CourseError(f"There is no classifier {classifier!r}; there are: {known}.")
        self.name, self.classes, self.select = classifier, classes, select
        self.pipeline: Any = None
        self.only: int | None = None

    def build(self, smallest: int = 99):
        """The unfitted scikit-learn pipeline; `smallest`: cases of the rarest class."""
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.feature_selection import SelectKBest, VarianceThreshold, f_classif
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        if self.name == "svm":
            last = SVC(kernel="rbf", random_state=0)
            if smallest >= 2:
                last = CalibratedClassifierCV(last, cv=min(5, smallest), ensemble=False)
        elif self.name == "forest":
            last = RandomForestClassifier(100, min_samples_leaf=2, random_state=0)
        else:
            strength = {"logistic_001": 0.01, "logistic_01": 0.1, "logistic_1": 1.0}[self.name]
            last = LogisticRegression(C=strength, max_iter=1000)
        steps = [VarianceThreshold(), StandardScaler()]
        if self.select:
            steps.append(SelectKBest(f_classif, k=self.select))
        return make_pipeline(*steps, last)

    def fit(self, features: Tensor, label: Tensor) -> "Learner":
        """Learns from features (N, F) and labels (N,); with one class only, says that class."""
        x, y = features.double().numpy(), label.numpy()
        self.only = int(y[0]) if len(np.unique(y)) == 1 else None
        if self.only is None:
            varied = int((x.std(0) > 0).sum())
            self.select = min(self.select, varied) if self.select else None
            smallest = int(np.bincount(y)[np.unique(y)].min())
            self.pipeline = self.build(smallest).fit(x, y)
        return self

    def __call__(self, features: Tensor) -> Tensor:
        """Probabilities (N, classes). Raises CourseError before anything was learnt."""
        if self.pipeline is None and self.only is None:
            raise CourseError("The classifier has seen no training cases yet: fit it first.")
        found = torch.zeros(len(features), self.classes)
        if self.only is not None:
            found[:, self.only] = 1
            return found
        x = features.double().numpy()
        if not hasattr(self.pipeline, "predict_proba"):  # an SVM of too few cases to calibrate
            margin = torch.from_numpy(self.pipeline.decision_function(x)).float()
            share = torch.sigmoid(margin)
            values = torch.stack([1 - share, share], 1) if margin.ndim == 1 else margin.softmax(1)
        else:
            values = torch.from_numpy(self.pipeline.predict_proba(x)).float()
        found[:, torch.from_numpy(self.pipeline.classes_).long()] = values
        return found


class Remembered:
    """A function of cases whose answers are kept, because every setting of a grid asks again.

    Arguments:
        work: batch → name → (n, F) values, one row per case; cases do not influence each other.
        names: what of a batch it depends on.
    """

    def __init__(
        self,
        work: Callable[[Mapping[str, Tensor]], dict[str, Tensor]],
        names: tuple[str, ...] = ("image",),
        batch: int = 16,
    ) -> None:
        self.work, self.names, self.batch = work, names, batch
        self.kept: dict[bytes, dict[str, Tensor]] = {}

    def __call__(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """name → (N, F), on the processor."""
        cases = len(batch[self.names[0]])
        keys = [self._key(batch, case) for case in range(cases)]
        new = [k for k, key in enumerate(keys) if key not in self.kept]
        for start in range(math.ceil(len(new) / self.batch)):
            index = new[start * self.batch : (start + 1) * self.batch]
            part = {k: v[torch.tensor(index, device=v.device)] for k, v in batch.items()}
            found = self.work(part)
            for row, k in enumerate(index):
                self.kept[keys[k]] = {name: values[row] for name, values in found.items()}
        rows = [self.kept[key] for key in keys]
        return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}

    def _key(self, batch: Mapping[str, Tensor], case: int) -> bytes:
        digest = hashlib.blake2b(digest_size=16)
        for name in self.names:
            digest.update(batch[name][case].detach().cpu().contiguous().numpy().tobytes())
        return digest.digest()
