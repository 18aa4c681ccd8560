"""The one training loop, for every method of every question.

Each player of a method (network, generator, critic …) has its own optimiser, stepped when its loss
is yielded: supervised, adversarial, cycle and self-supervised methods are then the same loop. A
training runs through the method's stages, in each of which some players learn and all else is
frozen. A method that does not learn has its settings chosen on the validation cases instead.
"""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from course_lib import device as devices
from course_lib.cases import Batch, Cases
from course_lib.errors import CourseError
from course_lib.methods.asking import ask
from course_lib.methods.base import Classical, Method, Stage
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
class Turn:
    """Who learns in a stage: each player's parameters and optimiser."""

    method: Method
    players: dict[str, list[nn.Parameter]]
    optimisers: dict[str, torch.optim.Optimizer]
    frozen: list[nn.Module]

    def train(self) -> None:
        """Training mode, but for what is frozen: its statistics stand still too."""
        self.method.train()
        for module in self.frozen:
            module.eval()

    def step(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """One step of every player; yields (player, detached loss) as they happen.

        Gradients are taken for the yielded player's parameters only, so that a generator's loss
        costs nothing for the critic it looks through.
        """
        for player, loss in self.method.losses(batch):
            self.optimisers[player].zero_grad(set_to_none=True)
            loss.backward(inputs=self.players[player])
            self.optimisers[player].step()
            self.method.after_step(player)
            yield player, loss.detach()


@contextmanager
def entered(method: Method, stage: Stage, train: Cases) -> Iterator[Turn]:
    """The method in one of its stages: the stage's players may learn, all else is frozen."""
    method.stage, method.done = stage.name, 0.0
    method.begin(stage.name, train)
    able = [p for p in method.parameters() if p.requires_grad]
    known = {name: [p for p in own if p.requires_grad] for name, own in method.players().items()}
    players = {name: known[name] for name in stage.learns or known}
    learning = {id(parameter) for own in players.values() for parameter in own}
    for parameter in able:
        parameter.requires_grad_(id(parameter) in learning)
    optimisers = {name: method.optimiser(name, own) for name, own in players.items()}
    try:
        yield Turn(method, players, optimisers, list(_still(method)))
    finally:
        for parameter in able:
            parameter.requires_grad_(True)


def _still(module: nn.Module) -> Iterator[nn.Module]:
    """The largest parts of a module that have weights of which none learns."""
    for child in module.children():
        weights = list(child.parameters())
        if weights and not any(weight.requires_grad for weight in weights):
            yield child
        elif weights:
            yield from _still(child)


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
        every = max(1, plan.steps // (method.evaluations or plan.evaluations))
        bar = tqdm(
            total=plan.steps,
            desc="training",
            unit="step",
            disable=progress is not True,
            leave=False,
        )
        with bar:
            for stage, steps in _stage_steps(method, plan.steps):
                with entered(method, stage, self.splits.train) as turn:
                    for done in range(steps):
                        method.done = done / steps
                        self.step(turn, done, steps)
                        bar.update()
                        if callable(progress):
                            progress(history.steps, plan.steps)
                        if history.steps % every == 0 or history.steps == plan.steps:
                            score = self.evaluate()
                            bar.set_postfix({self.question.headline: f"{score:.3g}"})
                    method.done = 1.0
        method.eval()
        return history

    def step(self, turn: Turn, done: int, steps: int) -> None:
        """One step, `done` of the stage's `steps` being behind."""
        start = time.perf_counter()
        whole = self.method.schedule == "run"
        behind = self.history.steps / self.plan.steps if whole else done / steps
        turn.train()
        for optimiser in turn.optimisers.values():
            _slow_down(optimiser, behind)
        batch = self.method.draw(self.splits.train, self.sample, self.plan.batch)
        for player, loss in turn.step(batch):
            self.recent[player].append(loss)
        for name, value in self.method.told.items():
            self.terms[name].append(value)
        self.method.told = {}
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
        row = {
            "step": self.history.steps,
            "seconds": round(self.history.seconds, 3),
            "losses": losses,
            **({"terms": terms} if terms else {}),
            "validation": evaluate(self.method, self.question, self.splits.validation),
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


def _stage_steps(method: Method, steps: int) -> list[tuple[Stage, int]]:
    """How many steps each stage gets, if any; they add up to `steps`."""
    total = sum(stage.share for stage in method.stages)
    ends, done = [], 0.0
    for stage in method.stages:
        done += stage.share
        ends.append(round(steps * done / total))
    counts = [end - start for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    return [(stage, count) for stage, count in zip(method.stages, counts, strict=True) if count]


def _slow_down(optimiser: torch.optim.Optimizer, behind: float) -> None:
    """Sets the rate once a share `behind` of the steps is done: from the learning rate down to a
    hundredth of it, as half a cosine."""
    factor = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * behind))
    for group in optimiser.param_groups:
        group["lr"] = factor * group.setdefault("initial_lr", group["lr"])
