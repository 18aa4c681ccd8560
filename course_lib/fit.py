"""The one training loop, for every method of every task.

Each player of a method (network, generator, critic …) has its own optimiser, stepped when its loss
is yielded: supervised, adversarial, cycle and self-supervised methods are then the same loop. A
method that does not learn has its settings chosen on the validation cases instead.
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
from course_lib.methods.base import Classical, Method
from course_lib.tasks.base import Plan, Splits, Task


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
    """The method's answers for all cases, in batches of whole cases, without gradients."""
    if isinstance(method, Method):
        method.eval()
    with torch.no_grad(), devices.memory_advice():
        parts = [
            method.predict(cases.batch(slice(start, start + batch)))
            for start in range(0, len(cases), batch)
        ]
    if isinstance(parts[0], dict):
        return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
    return torch.cat(parts)


def evaluate(method: Method | Classical, task: Task, cases: Cases) -> dict[str, float]:
    """The mean of each score over the cases; undefined (nan) scores are left out."""
    scores = task.score(predict(method, cases), cases.tensors)
    return {name: float(torch.nanmean(values.double())) for name, values in scores.items()}


def fit(
    method: Method | Classical,
    task: Task,
    splits: Splits,
    *,
    profile: str,
    seed: int,
    plan: Plan | None = None,
    progress: bool = True,
    after_evaluation: Callable[[dict[str, Any]], None] | None = None,
) -> History:
    """Trains `method` in place, or chooses its settings, and tells how it went.

    Arguments:
        plan: steps, batch and evaluations; by default the task's for `profile`.
        seed: decides batches and everything random in the losses.
        after_evaluation: called with each new row of the curve.

    Raises CourseError when a loss stops being a number, or memory runs out.
    """
    if isinstance(method, Classical):
        with devices.seeded(seed):
            return _choose(method, task, splits, progress)
    plan = plan or task.plans[profile]
    with devices.seeded(seed), devices.memory_advice():
        method.prepare(splits.train)
        return _train(method, task, splits, profile, seed, plan, progress, after_evaluation)


def _choose(method: Classical, task: Task, splits: Splits, progress: bool) -> History:
    """Takes the settings with the best headline score on validation."""
    from tqdm.auto import tqdm

    validation = splits.validation
    headline, start = task.metrics[task.headline], time.perf_counter()
    method.prepare(splits.train)
    best: float | None = None
    history = History(candidates=len(method.grid))
    if len(method.grid) == 1:
        history.chosen = dict(method.grid[0])
    else:
        for settings in tqdm(method.grid, desc="settings", disable=not progress, leave=False):
            method.set(settings)
            value = evaluate(method, task, validation)[task.headline]
            if best is None or headline.improves(value, best):
                best, history.chosen = value, dict(settings)
    method.set(history.chosen)
    history.seconds = time.perf_counter() - start
    return history


def _train(
    method: Method,
    task: Task,
    splits: Splits,
    profile: str,
    seed: int,
    plan: Plan,
    progress: bool,
    after_evaluation: Callable[[dict[str, Any]], None] | None,
) -> History:
    from tqdm.auto import tqdm

    history = History()
    generator = torch.Generator().manual_seed(seed)
    drawable, pool = splits.train, None
    every = max(1, plan.steps // (method.evaluations or plan.evaluations))
    recent: dict[str, list[Tensor]] = defaultdict(list)
    bar = tqdm(total=plan.steps, desc="training", unit="step", disable=not progress, leave=False)
    with bar:
        for stage, steps in _stage_steps(method, plan.steps):
            method.stage = stage
            players = {name: list(values) for name, values in method.players().items()}
            optimisers = {name: method.optimiser(name, own) for name, own in players.items()}
            for done in range(steps):
                start = time.perf_counter()
                method.train()
                for optimiser in optimisers.values():
                    _slow_down(optimiser, done, steps)
                wanted = method.pool(history.steps / plan.steps)
                if wanted != pool:  # a smaller or larger part of the training cases
                    pool = wanted
                    drawable = splits.train if pool is None else splits.train.subset(pool)
                batch = task.sample(drawable, profile, plan.batch, generator)
                for player, loss in step(method, batch, players, optimisers):
                    recent[player].append(loss)
                history.seconds += time.perf_counter() - start
                history.steps += 1
                bar.update()
                if history.steps % every == 0 or history.steps == plan.steps:
                    row = _evaluation(method, task, splits.validation, history, recent)
                    history.curve.append(row)
                    bar.set_postfix({task.headline: f"{row['validation'][task.headline]:.3g}"})
                    if after_evaluation:
                        after_evaluation(row)
    method.eval()
    return history


def step(
    method: Method,
    batch: Batch,
    players: dict[str, list[torch.nn.Parameter]],
    optimisers: dict[str, torch.optim.Optimizer],
):
    """One step of every player; yields (player, detached loss) as they happen.

    Gradients are taken for the yielded player's parameters only, so that a generator's loss costs
    nothing for the critic it looks through.
    """
    for player, loss in method.losses(batch):
        optimisers[player].zero_grad(set_to_none=True)
        loss.backward(inputs=players[player])
        optimisers[player].step()
        method.after_step(player)
        yield player, loss.detach()


def _stage_steps(method: Method, steps: int) -> list[tuple[str, int]]:
    """How many steps each stage gets, if any; they add up to `steps`."""
    total = sum(stage.share for stage in method.stages)
    ends, done = [], 0.0
    for stage in method.stages:
        done += stage.share
        ends.append(round(steps * done / total))
    counts = [end - start for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    return [(s.name, count) for s, count in zip(method.stages, counts, strict=True) if count]


def _slow_down(optimiser: torch.optim.Optimizer, done: int, steps: int) -> None:
    """Sets the rate of the step after `done` ones: from the learning rate down to a hundredth of
    it, as half a cosine."""
    factor = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done / steps))
    for group in optimiser.param_groups:
        group["lr"] = factor * group.setdefault("initial_lr", group["lr"])


def _evaluation(
    method: Method, task: Task, validation: Cases, history: History, recent: dict[str, list[Tensor]]
) -> dict[str, Any]:
    """One row of the learning curve; empties `recent`."""
    losses = {player: float(torch.stack(values).mean()) for player, values in recent.items()}
    recent.clear()
    for player, value in losses.items():
        if not math.isfinite(value):
            raise CourseError(
                f"The loss of {player!r} is {value} at step {history.steps}: training diverged. "
                f"Lower the method's learning rate (it is {method.learning_rate:g})."
            )
    return {
        "step": history.steps,
        "seconds": round(history.seconds, 3),
        "losses": losses,
        "validation": evaluate(method, task, validation),
    }
