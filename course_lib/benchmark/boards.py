"""What a leaderboard consists of: sections, their boards, and the rows of these."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from course_lib.benchmark import sets
from course_lib.benchmark.grouping import Record, differing_code, slug
from course_lib.benchmark.statistics import Comparison, Interval

SAME_PATIENT = "same patient"


@dataclass
class Row:
    """One method (with its options) on one test group.

    Arguments:
        tables: metric → scores (subjects, seeds). runs: metric of a set → each training's cases.
        missing, perfect: metric → how many cases have no score, and how many an endless one.
        others: metric → the mean over all cases whose score is a number.
        privileged: whether it was told of test cases what only a reader or a simulator knows: such
            a row has neither rank nor verdict.
    """

    method: str
    options: str
    name: str
    kind: str
    cite: str
    baseline: bool
    done: list[Record]
    failed: list[Record]
    tables: dict[str, np.ndarray]
    runs: dict[str, list[sets.Run]]
    cases: int
    missing: dict[str, int]
    perfect: dict[str, int]
    others: dict[str, float | None]
    privileged: bool
    estimates: dict[str, Interval] = field(default_factory=dict)
    rank: int | None = None
    difference: Interval | None = None
    test: Comparison | None = None
    holm_p: float | None = None
    verdict: str = ""
    scored_at_all: bool = False

    @property
    def single(self) -> bool:
        """Whether one training is all there is: another may score quite differently."""
        return self.learns and len(self.done) == 1

    @property
    def seeds(self) -> list[int]:
        """Seeds of the jobs that finished."""
        return [record["job"]["seed"] for record in self.done]

    @property
    def learns(self) -> bool:
        """Whether the method was trained at all; without a finished job, nobody knows: True."""
        return not self.done or any(record["steps"] > 0 for record in self.done)

    def scored(self, metric: str) -> int:
        """How many subjects have at least one defined score."""
        return int((~np.isnan(self.tables[metric])).any(axis=1).sum())

    def cost(self, name: str) -> float | None:
        """Mean over seeds of `fit`, `predict`, `total` (s) or of a number of the record."""
        values = [r["wall_s"].get(name, r.get(name)) for r in self.done]
        values = [value for value in values if value is not None]
        return float(np.mean(values)) if values else None


@dataclass
class Board:
    """The ranked rows of one test group."""

    group: str
    subjects: list[str]
    rows: list[Row]
    best_baseline: Row | None

    @property
    def apart(self) -> bool:
        """Whether these subjects were also met in training."""
        return self.group.startswith(SAME_PATIENT)

    @property
    def ranked(self) -> list[Row]:
        """The rows with a headline score, best first."""
        return [row for row in self.rows if row.scored_at_all]

    @property
    def first(self) -> Row | None:
        """The best of those that answer from what they may see."""
        return next((row for row in self.ranked if row.rank), None)

    @cached_property
    def tested(self) -> list[Row]:
        """The rows compared with the best baseline by the paired test."""
        return [row for row in self.rows if row.test]


@dataclass
class Section:
    """All that was run of one task, on one data set, in one profile.

    `version` is the hash of the data where the records know several under one name, `newer` whether
    there are newer ones; `disagreements` are sentences on records that say other things of a metric
    than its question does.
    """

    task: str
    dataset: str
    profile: str
    headline: str
    metrics: dict[str, dict[str, str]]
    records: list[Record]
    boards: list[Board]
    version: str = ""
    newer: bool = False
    disagreements: list[str] = field(default_factory=list)

    @property
    def done(self) -> list[Record]:
        """Records of finished jobs."""
        return [record for record in self.records if record["status"] == "done"]

    @property
    def failed(self) -> list[Record]:
        """Records of failed jobs."""
        return [record for record in self.records if record["status"] == "failed"]

    @property
    def smoke(self) -> bool:
        """Whether the jobs only tried that the program runs: their scores say nothing."""
        return self.profile.partition("@")[0] == "smoke"

    @property
    def higher_is_better(self) -> bool:
        """The direction of the headline metric."""
        return self.metrics[self.headline]["better"] == "higher"

    @property
    def slug(self) -> str:
        """A name for files and anchors, of this section only."""
        return slug(self.task, self.dataset, self.profile, self.version if self.newer else "")

    @property
    def differing_code(self) -> list[str]:
        """What of the code differs among the finished records, by name."""
        return differing_code(self.records)

    @cached_property
    def case_metric(self) -> str | None:
        """The metric by which single cases can be told apart: the headline, or the first that is
        no score of a whole set."""
        names = dict.fromkeys([self.headline, *self.metrics])
        return next((n for n in names if not self.metrics[n].get("of_set")), None)
