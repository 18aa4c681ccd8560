"""One step of a training: who learns, at what rate, in what precision, and what is kept of it.

Each player of a method has its own optimiser, stepped when its loss is yielded. In a stage some
players learn and all else is frozen. What a method asks of its steps are attributes of `Method`:
`warm_up`, `schedule`, `clip`, `average`, `mixed`; by default it asks for nothing.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_lib import device as devices
from course_lib.cases import Batch, Cases
from course_lib.methods.base import Method, Stage


class Average:
    """An exponential moving average of what learns: of parameters, and of the statistics that
    normalisation keeps. Its decay rises to the method's, so that first weights are soon forgotten.
    """

    def __init__(self, method: Method) -> None:
        self.decay, self.steps = method.average, 0
        statistics = (
            getattr(module, name, None)
            for module in method.modules()
            for name in ("running_mean", "running_var")
        )
        self.live = [p.data for p in method.parameters() if p.requires_grad]
        self.live += [value for value in statistics if isinstance(value, Tensor)]
        self.kept = [value.clone() for value in self.live]

    def step(self) -> None:
        """Takes in the weights as they are now."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(self.kept, self.live, 1 - decay)

    def swap(self) -> None:
        """Exchanges the method's weights for their average, or back."""
        for live, kept in zip(self.live, self.kept, strict=True):
            live_now = live.clone()
            live.copy_(kept)
            kept.copy_(live_now)


@dataclass
class Turn:
    """Who learns in a stage: each player's parameters and optimiser."""

    method: Method
    players: dict[str, list[nn.Parameter]]
    optimisers: dict[str, torch.optim.Optimizer]
    frozen: list[nn.Module]
    average: Average | None
    precision: tuple[str, torch.device]

    def train(self) -> None:
        """Training mode, but for what is frozen: its statistics stand still too."""
        self.method.train()
        for module in self.frozen:
            module.eval()

    def step(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """One step of every player; yields (player, detached loss) as they happen.

        Gradients are taken for the yielded player's parameters only, so that a generator's loss
        costs nothing for the critic it looks through. Losses are counted in the method's precision,
        weights are kept and stepped in float32.
        """
        losses = self.method.losses(batch)
        while True:
            with devices.counting_in(
                *self.precision
            ):  # left between two losses: weights change there
                found = next(losses, None)
            if found is None:
                break
            player, loss = found
            self.optimisers[player].zero_grad(set_to_none=True)
            loss.backward(inputs=self.players[player])
            if self.method.clip is not None:
                nn.utils.clip_grad_norm_(self.players[player], self.method.clip)
            self.optimisers[player].step()
            self.method.after_step(player)
            yield player, loss.detach()
        if self.average:
            self.average.step()

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, the method has its averaged weights, if it keeps any."""
        if self.average:
            self.average.swap()
        try:
            yield
        finally:
            if self.average:
                self.average.swap()


@contextmanager
def entered(method: Method, stage: Stage, train: Cases) -> Iterator[Turn]:
    """The method in one of its stages: the stage's players may learn, all else is frozen. When it
    leaves a stage, it has its averaged weights, if it keeps any."""
    method.stage, method.done = stage.name, 0.0
    method.begin(stage.name, train)
    able = [p for p in method.parameters() if p.requires_grad]
    known = {name: [p for p in own if p.requires_grad] for name, own in method.players().items()}
    players = {name: known[name] for name in stage.learns or known}
    learning = {id(parameter) for own in players.values() for parameter in own}
    for parameter in able:
        parameter.requires_grad_(id(parameter) in learning)
    optimisers = {name: fused(method.optimiser(name, own)) for name, own in players.items()}
    average = Average(method) if method.average else None
    precision = devices.precision(method.mixed, train.device), train.device
    try:
        yield Turn(method, players, optimisers, list(_still(method)), average, precision)
        if average:
            average.swap()
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


def laid_out(method: Method) -> None:
    """Lays the weights of 2D convolutions out with their channels last, where the data are images:
    the same numbers, and on most processors and cards a faster step."""
    if method.facts.get("dims") == 2:
        for parameter in method.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def fused(optimiser: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """The optimiser, which steps all its parameters at once if it can and nothing else was said."""
    for group in optimiser.param_groups:
        real = all(parameter.is_floating_point() for parameter in group["params"])
        if real and group.get("fused", "cannot") is None and not group["foreach"]:
            group["fused"] = True
    return optimiser


def set_rate(turn: Turn, behind: float, step: int, steps: int) -> None:
    """Sets the rate of a stage's next step.

    Arguments:
        behind: the share of its fall that is done: from the learning rate down to a hundredth of
            it, as half a cosine.
        step, steps: steps done of the stage, and all of them: the rate rises linearly over the
            first ones, if the method warms up (at most a quarter of them).
    """
    factor = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * behind))
    rise = min(turn.method.warm_up, steps // 4)
    if step < rise:
        factor *= step / rise
    for optimiser in turn.optimisers.values():
        for group in optimiser.param_groups:
            group["lr"] = factor * group.setdefault("initial_lr", group["lr"])


def stage_steps(method: Method, steps: int) -> list[tuple[Stage, int]]:
    """How many steps each stage gets, if any; they add up to `steps`."""
    total = sum(stage.share for stage in method.stages)
    ends, done = [], 0.0
    for stage in method.stages:
        done += stage.share
        ends.append(round(steps * done / total))
    counts = [end - start for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    return [(stage, count) for stage, count in zip(method.stages, counts, strict=True) if count]
