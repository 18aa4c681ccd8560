"""What a question is: cases with known truth, a way to draw training batches, and scores.

Scores are kept per case, because intervals need them. A score that exists only for a whole set (an
area under a curve, a calibration error) is given as each case's share, such that the mean over all
cases is the set's score: see `metrics.classification.auc_per_case`. Its interval is counted from
the answers themselves (`evidence`), because shares may lie outside the score's range.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from course_lib.cases import PATH, Batch, Cases, Facts, is_own
from course_lib.errors import CourseError

PARTS = ("train", "validation", "test")
EVERYWHERE = (*PARTS, "batch")


@dataclass(frozen=True)
class Metric:
    """A score: its unit, which way is better, and what it means in one sentence. `of_set` says how
    it is counted of a set of cases (`benchmark.sets`); empty: single cases have it. `name`: for
    people; empty: made from its key."""

    unit: str
    better: str
    text: str
    of_set: str = ""
    name: str = ""

    def improves(self, new: float, old: float) -> bool:
        """Whether `new` is better than `old`."""
        return new > old if self.better == "higher" else new < old


@dataclass(frozen=True)
class Plan:
    """How much training a profile allows.

    Arguments:
        steps: where no pace was measured: the user's own data, methods from outside.
        batch: cases of a step, for methods that have no `batch` of their own.
        evaluations: how often validation is looked at, at most.
        seconds: of one core of the reference machine that a training may take, the same for every
            method; `catalogue.paces` makes steps of them.
    """

    steps: int
    batch: int
    evaluations: int = 8
    seconds: float | None = None


def base_profile(profile: str) -> str:
    """The profile whose cases are used: `class` of `class@1400`, which asks for 1400 steps, and of
    `long`, which trains longer on the same cases.

    >>> base_profile("class@1400"), base_profile("long"), base_profile("smoke")
    ('class', 'class', 'smoke')
    """
    name = profile.partition("@")[0]
    return "class" if name == "long" else name


@dataclass(frozen=True)
class Field:
    """One tensor of a case: what a method may read.

    Arguments:
        shape: sides by name or number, `N 1 H W`: the same name is the same side in all fields of a
            batch, `*` stands for one or more axes, such as `N 1 *space`.
        unit: of its values: `HU`, `mm`, `pixels`, `class`, …
        text: what it holds, in a few words.
        where: which of `train`, `validation`, `test` and `batch` (a training batch) hold it.
        dtype: its kind of number, as torch calls it.
        answer: whether it is, or gives away, what is asked for: `predict` does not get it.
        privileged: whether it is known from a reader's hand or a simulator only: `predict` gets it
            if it asks, and the record says so.
    """

    shape: str
    unit: str
    text: str
    where: tuple[str, ...] = EVERYWHERE
    dtype: str = "float32"
    answer: bool = False
    privileged: bool = False


@dataclass(frozen=True)
class Splits:
    """Training, validation and test cases. Test subjects occur in no other part, except in test
    groups whose name says that they come from the same patient. `notes` are sentences on what of
    the data was used, and what not."""

    train: Cases
    validation: Cases
    test: Cases
    notes: tuple[str, ...] = field(default=(), kw_only=True)

    @property
    def facts(self) -> Facts:
        """What is fixed for the data set."""
        return self.train.facts

    def to(self, device: torch.device) -> "Splits":
        """The same cases with their tensors on `device`."""
        parts = (part.to(device) for part in (self.train, self.validation, self.test))
        return Splits(*parts, notes=self.notes)


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
class Question:
    """What is asked of a kind of case.

    Arguments:
        id: the name of its file.
        title: its name for people.
        fields: name → Field: the contract of a batch.
        facts: name → what it means: the facts of its data sets.
        headline: the metric that ranks.
        metrics: name → Metric.
        sources: data set → the registry names it is made from, the first one is the default;
            `path:` for the user's own, with what is needed beside them.
        plans: profile → Plan.
        make: (data set, profile, seed) → Splits, on the processor; raises CourseError for what
            does not fit.
        sample: (training cases, profile, count, generator) → a training batch.
        score: (prediction, batch, facts) → metric → (N,) values.
        pictures: (prediction, batch, facts) → panel name → Panel.
        ranked_by: facts → the headline, where it depends on the data set's facts.
        metrics_of: facts → the metrics, where they depend on them: one for each class.
        asked_of: `path:…` → whether the user's own data are of the kind that it asks about, where
            another question takes the others.
        kinds: data sets whose facts differ, one of each kind; empty: all are of the first's kind.
        truth: (batch, facts) → the answer of who knows the truth. Where even that has no headline
            score, no answer has one.
        evidence: (prediction, batch, facts) → what scores of a set are counted from: `answer`
            (N, C), how strongly each class is answered, and `label` (N,), the true one; or
            `targets` (N, classes), how many there are of each.

    What `make` returns is marked: its cases know which of their tensors are answers.
    """

    id: str
    title: str
    fields: Mapping[str, Field]
    facts: Mapping[str, str]
    headline: str
    metrics: Mapping[str, Metric]
    sources: Mapping[str, tuple[str, ...]]
    plans: Mapping[str, Plan]
    make: Callable[[str, str, int], Splits]
    sample: Callable[[Cases, str, int, torch.Generator], Batch]
    score: Callable[[Any, Batch, Facts], dict[str, Tensor]]
    pictures: Callable[[Any, Batch, Facts], dict[str, Panel]]
    kinds: tuple[str, ...] = ()
    truth: Callable[[Batch, Facts], Any] | None = None
    evidence: Callable[[Any, Batch, Facts], dict[str, Tensor]] | None = None
    ranked_by: Callable[[Facts], str] | None = None
    metrics_of: Callable[[Facts], Mapping[str, Metric]] | None = None
    asked_of: Callable[[str], bool] | None = None

    def of(self, facts: Facts) -> "Question":
        """The question as it is asked of a data set with these facts: its headline, its metrics."""
        headline = self.ranked_by(facts) if self.ranked_by else self.headline
        metrics = self.metrics_of(facts) if self.metrics_of else self.metrics
        return replace(self, headline=headline, metrics=metrics)

    def __post_init__(self) -> None:
        made = getattr(self.make, "unmarked", self.make)  # `replace` brings one that marks

        @wraps(made)
        def make(dataset: str, profile: str, seed: int) -> Splits:
            return self.marked(made(dataset, base_profile(profile), seed))

        vars(make)["unmarked"] = made
        object.__setattr__(self, "make", make)

    def marked(self, splits: Splits) -> Splits:
        """The same cases, which know what of them is an answer and what is privileged."""
        answers = frozenset(name for name, about in self.fields.items() if about.answer)
        privileged = frozenset(name for name, about in self.fields.items() if about.privileged)
        train, validation, test = (
            replace(part, answers=answers, privileged=privileged)
            for part in (splits.train, splits.validation, splits.test)
        )
        return replace(splits, train=train, validation=validation, test=test)

    def needs(self, dataset: str) -> tuple[str, ...]:
        """The registry names that a data set, or the user's own, is made from."""
        return self.sources[PATH if is_own(dataset) else dataset]

    def plan(self, profile: str) -> Plan:
        """How much training a profile allows; `class@1400` is `class` with 1400 steps.

        Raises CourseError when there is no such profile.
        """
        name, mark, steps = profile.partition("@")
        if name not in self.plans:
            raise CourseError(f"There is no profile {name!r} here, but: {', '.join(self.plans)}.")
        if not mark:
            return self.plans[name]
        if not steps.isdecimal() or int(steps) < 1:
            raise CourseError(f"{profile!r} gives no number of steps. Expected: {name}@1400.")
        return replace(self.plans[name], steps=int(steps))

    def answers(self, dataset: str) -> bool:
        """Whether this question is asked of a data set."""
        if is_own(dataset) and self.asked_of and not self.asked_of(dataset):
            return False
        return (PATH if is_own(dataset) else dataset) in self.sources
