"""The one training loop, for every method of every question.

A training runs through the method's stages, step by step (`learning`): supervised, adversarial,
cycle and self-supervised methods are the same loop. A method that does not learn has its settings
chosen on the validation cases instead.
"""

import math
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from course_lib import device as devices
from course_lib.cases import Batch, Cases
from course_lib.errors import CourseError
from course_lib.learning import Turn, entered, laid_out, set_rate, stage_steps
from course_lib.methods.asking import ask
from course_lib.methods.base import Classical, Method
from course_lib.tasks.base import Plan, Question, Splits, base_profile

Progress = bool | Callable[[int, int], None]


@dataclass
class History:
    """What a training leaves: one row of the curve per evaluation, the seconds spent training
    (evaluation not counted), the steps done, and the settings chosen on validation."""

    curve: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    steps: int = 0
    chosen: dict[str, Any] = field(default_factory=dict)
    candidates: int = 0


def predict(method: Method | Classical, cases: Cases, batch: int = 4) -> Any:
    """The method's answers for all cases, in batches of whole cases, without gradients. A method
    that was never trained is made fresh for the cases' data set first. It does not get the cases'
    `answers`.

    Raises CourseError when the method asks for an answer, or was made for other facts.
    """
    return ask(method, cases, batch)[0]


def evaluate(method: Method | Classical, question: Question, cases: Cases) -> dict[str, float]:
    """The mean of each score over the cases; undefined (nan) scores are left out."""
    scores = question.score(predict(method, cases), cases.tensors, cases.facts)
    return {name: float(torch.nanmean(values.double())) for name, values in scores.items()}


def fit(
    method: Method | Classical,
    question: Question,
    splits: Splits,
    *,
    profile: str,
    seed: int,
    plan: Plan | None = None,
    progress: Progress = True,
    after_evaluation: Callable[[dict[str, Any]], None] | None = None,
) -> History:
    """Trains `method` from new on, in place, or chooses its settings; tells how it went.

    Arguments:
        plan: steps, batch and evaluations; by default the question's for `profile`.
        seed: decides first weights, batches and everything random in the losses.
        progress: show a bar; or what is called after each step with the steps done and all steps.
        after_evaluation: called with each new row of the curve.

    Raises CourseError when a loss stops being a number, or memory runs out.
    """
    question = question.of(splits.facts)
    if isinstance(method, Method) and not len(splits.train):
        raise CourseError(
            f"{type(method).__name__} learns, and there is nothing to learn from: no training "
            "cases. Add subjects, or take a method that is not trained."
        )
    splits = question.marked(splits)
    with devices.seeded(seed), devices.memory_advice():
        method.fresh(splits.facts, splits.train.device)
    with devices.seeded(seed), devices.memory_advice():
        if isinstance(method, Classical):
            return _choose(method, question, splits, progress)
        laid_out(method)
        plan = plan or question.plan(profile)
        generator = torch.Generator().manual_seed(seed)

        def sample(cases: Cases, count: int) -> Batch:
            return question.sample(cases, base_profile(profile), count, generator)

        training = _Training(method, question, splits, plan, sample, after_evaluation)
        return training.run(progress)


def _choose(method: Classical, question: Question, splits: Splits, progress: Progress) -> History:
    """Takes the settings with the best headline score on validation; those that the method has by
    itself where there are no validation cases."""
    from tqdm.auto import tqdm

    validation = splits.validation
    headline, start = question.metrics[question.headline], time.perf_counter()
    method.prepare(splits.train)
    best: float | None = None
    history = History(candidates=len(method.grid))
    if not len(validation):  # as they come
        history.candidates = 0
    elif len(method.grid) == 1:
        history.chosen = dict(method.grid[0])
    else:
        shown = tqdm(method.grid, desc="settings", disable=progress is not True, leave=False)
        for done, settings in enumerate(shown):
            if callable(progress):
                progress(done, len(method.grid))
            method.set(settings)
            value = evaluate(method, question, validation)[question.headline]
            if (
                best is None
                or math.isnan(best) > math.isnan(value)
                or headline.improves(value, best)
            ):
                best, history.chosen = value, dict(settings)
    method.set(history.chosen)
    history.seconds = time.perf_counter() - start
    return history


@dataclass
class _Training:
    """One training of one method, as it proceeds."""

    method: Method
    question: Question
    splits: Splits
    plan: Plan
    sample: Callable[[Cases, int], Batch]
    after_evaluation: Callable[[dict[str, Any]], None] | None
    history: History = field(default_factory=History)
    recent: dict[str, list[Tensor]] = field(default_factory=lambda: defaultdict(list))
    terms: dict[str, list[Tensor]] = field(default_factory=lambda: defaultdict(list))

    def run(self, progress: Progress) -> History:
        from tqdm.auto import tqdm

        method, plan, history = self.method, self.plan, self.history
        looks = looked_at(plan.steps, method.evaluations or plan.evaluations)
        bar = tqdm(
            total=plan.steps,
            desc="training",
            unit="step",
            disable=progress is not True,
            leave=False,
        )
        with bar:
            for stage, steps in stage_steps(method, plan.steps):
                with entered(method, stage, self.splits.train) as turn:
                    turn.train()
                    for done in range(steps):
                        method.done = done / steps
                        self.step(turn, done, steps)
                        bar.update()
                        if callable(progress):
                            progress(history.steps, plan.steps)
                        if history.steps in looks:
                            with turn.averaged():
                                score = self.evaluate()
                            turn.train()
                            bar.set_postfix({self.question.headline: f"{score:.3g}"})
                    method.done = 1.0
        method.eval()
        return history

    def step(self, turn: Turn, done: int, steps: int) -> None:
        """One step, `done` of the stage's `steps` being behind."""
        start, method = time.perf_counter(), self.method
        whole = method.schedule == "run"
        behind = self.history.steps / self.plan.steps if whole else done / steps
        set_rate(turn, behind, done, steps)
        batch = method.draw(self.splits.train, self.sample, method.batch or self.plan.batch)
        for player, loss in turn.step(batch):
            self.recent[player].append(loss)
        for name, value in method.told.items():
            self.terms[name].append(value)
        method.told = {}
        self.history.seconds += time.perf_counter() - start
        self.history.steps += 1

    def evaluate(self) -> float:
        """Adds a row to the learning curve; returns the headline score."""
        losses, terms = _means(self.recent), _means(self.terms)
        for player, value in losses.items():
            if not math.isfinite(value):
                raise CourseError(
                    f"The loss of {player!r} is {value} at step {self.history.steps}: training "
                    "diverged. Lower the method's learning rate "
                    f"(it is {self.method.learning_rate:g})."
                )
        with torch.random.fork_rng():  # what is drawn to look changes nothing of the training
            validation = evaluate(self.method, self.question, self.splits.validation)
        row = {
            "step": self.history.steps,
            "seconds": round(self.history.seconds, 3),
            "losses": losses,
            **({"terms": terms} if terms else {}),
            "validation": validation,
        }
        self.history.curve.append(row)
        if self.after_evaluation:
            self.after_evaluation(row)
        return row["validation"][self.question.headline]


def _means(recent: dict[str, list[Tensor]]) -> dict[str, float]:
    """The mean of each list of numbers; empties them all."""
    means = {name: float(torch.stack(values).mean()) for name, values in recent.items()}
    recent.clear()
    return means


def looked_at(steps: int, evaluations: int) -> set[int]:
    """After which of so many steps validation is looked at: the last, and others evenly before,
    with at least one unseen step between two.

    >>> sorted(looked_at(700, 3)), sorted(looked_at(7, 5))
    ([233, 467, 700], [2, 5, 7])
    """
    count = max(1, min(evaluations, steps // 2))
    return {round(steps * (look + 1) / count) for look in range(count)}
