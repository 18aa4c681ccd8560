"""What a task is: cases with known truth, a way to draw training batches, and scores.

Scores are kept per case, because intervals need them. A score that exists only for a whole set (an
area under a curve, a calibration error) is given as each case's share, such that the mean over all
cases is the set's score: see `metrics.classification.auc_per_case`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases
from course_lib.data import own as own_data
from course_lib.errors import CourseError


@dataclass(frozen=True)
class Metric:
    """A score: its unit, which way is better, and what it means in one sentence."""

    unit: str
    better: str
    text: str

    def improves(self, new: float, old: float) -> bool:
        """Whether `new` is better than `old`."""
        return new > old if self.better == "higher" else new < old


@dataclass(frozen=True)
class Plan:
    """How much training a profile allows: the same for every method of a task."""

    steps: int
    batch: int
    evaluations: int = 8


@dataclass(frozen=True)
class Splits:
    """Training, validation and test cases. Test subjects occur in no other part, except in test
    groups whose name says that they come from the same patient."""

    train: Cases
    validation: Cases
    test: Cases


@dataclass(frozen=True)
class Panel:
    """One picture of a strip: (N, H, W) values, how to show them, and whether all methods of a
    job's cases share it (input and truth) or each has its own (output and error)."""

    values: Tensor
    kind: str
    window: tuple[float, float]
    unit: str
    shared: bool


@dataclass(frozen=True)
class Task:
    """A task of the survey.

    Arguments:
        id, title, survey: name in the catalogue, name for people, section of the survey.
        headline: the metric that ranks.
        metrics: name → Metric.
        sources: data set → the registry names it is made from; the first one is the default.
        plans: profile → Plan.
        make: (dataset, profile, seed) → Splits, on the processor.
        sample: (training cases, profile, count, generator) → a training batch.
        score: (prediction, batch) → metric → (N,) values.
        pictures: (prediction, batch) → panel name → Panel.
        lesson: the chapter's notebook that runs this task's jobs, without suffix.
        own: (the user's data, profile, seed) → Splits; raises CourseError for what does not fit.
        needs: registry names that `own` needs besides the user's data.
        asks: for data sets with a question of their own, by name or by its part before the first
            '/': the metrics that apply to them, the headline first; `path:` for the user's own.
            See `on`.
    """

    id: str
    title: str
    survey: str
    headline: str
    metrics: Mapping[str, Metric]
    sources: Mapping[str, tuple[str, ...]]
    plans: Mapping[str, Plan]
    make: Callable[[str, str, int], Splits]
    sample: Callable[[Cases, str, int, torch.Generator], Batch]
    score: Callable[[Any, Batch], dict[str, Tensor]]
    pictures: Callable[[Any, Batch], dict[str, Panel]]
    lesson: str
    own: Callable[[own_data.OwnData, str, int], Splits] | None = None
    needs: tuple[str, ...] = ()
    asks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def on(self, dataset: str) -> "Task":
        """The task as this data set asks it: with its metrics and its headline."""
        kind = "path:" if own_data.is_own(dataset) else dataset.partition("/")[0]
        names = self.asks.get(dataset) or self.asks.get(kind)
        if not names:
            return self
        chosen = {name: self.metrics[name] for name in names}
        return replace(self, metrics=chosen, headline=names[0])

    def splits(self, dataset: str, profile: str, seed: int) -> Splits:
        """The cases of a data set of this task, or of the user's own (`path:…`), on the processor.

        Raises CourseError when the task cannot use what lies at the path.
        """
        if not own_data.is_own(dataset):
            return self.make(dataset, profile, seed)
        if self.own is None:
            raise CourseError(f"{self.title} has no way yet to use data of your own ({dataset}).")
        return self.own(own_data.read(dataset), profile, seed)
