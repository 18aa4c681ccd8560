"""What a method is: it predicts, and if it learns, it yields losses for its players.

A constructor keeps options and nothing else. `fresh(facts)` makes the networks for a data set,
through the method's own `build(facts)`; a training begins with it, so that a second training of the
same object starts anew, whatever the first one was on.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from course_lib.cases import Batch, Cases, Facts
from course_lib.errors import CourseError

Sample = Callable[[Cases, int], Batch]
Loss = tuple[str, Tensor]


@dataclass(frozen=True)
class Stage:
    """One part of a training: its name, its share of the steps, and the players that learn in it
    (all, if none is named). Everything else is frozen meanwhile, by the training loop."""

    name: str
    share: float = 1.0
    learns: tuple[str, ...] = ()


class Method(nn.Module):
    """A method that learns. Subclasses write `build`, `losses` or `terms`, and `predict`.

    A *player* is a set of parameters with an optimiser of its own: one `network` for a supervised
    method; `generator` and `critic` for an adversarial one.

    It can read `facts`, those of the data set that its networks were made for; and `stage` and
    `done`, where training stands: the stage's name, and the share (0 to 1) of its steps that is
    behind. Afterwards, and before any training, the last stage is done.

    It may set, for the loop:
    - `learning_rate`; `schedule`, over what the rate falls: the whole `run`, or each `stage` anew;
      `warm_up`, over how many first steps of a stage it rises;
    - `batch`, instead of the plan's; `evaluations`, fewer than the plan's;
    - `clip`, the largest norm that the gradient of a player's step may have;
    - `average`, the decay (0.99, 0.999 …) of a moving average of the weights, with which the method
      then predicts;
    - `mixed`, whether its losses may be counted in bfloat16 where the device has it: not where
      digits matter, as in k-space, filtered back-projection and small differences.
    """

    learning_rate: float = 1e-3
    schedule: ClassVar[str] = "run"
    warm_up: int = 0
    batch: int | None = None
    evaluations: int | None = None
    clip: float | None = None
    average: float = 0.0
    mixed: bool = False
    stages: tuple[Stage, ...] = (Stage("train"),)
    facts: Facts
    stage: str
    done: float

    def fresh(self, facts: Facts, device: torch.device | str = "cpu") -> Self:
        """The method with new networks for a data set of these facts, on `device`."""
        self.facts = facts
        self.stage, self.done = self.stages[-1].name, 1.0
        self.told: dict[str, Tensor] = {}
        self.build(facts)
        return self.to(device)

    def build(self, facts: Facts) -> None:
        """Makes the networks, and forgets all that was learnt.

        Raises CourseError when the method is made for other data.
        """
        raise NotImplementedError

    def begin(self, stage: str, train: Cases) -> None:
        """Called when a stage starts, with the training cases. By default nothing."""

    def draw(self, train: Cases, sample: Sample, count: int) -> Batch:
        """A training batch; `sample(cases, count)` is the question's own way to draw one. What a
        curriculum, or a batch of labelled and unlabelled cases, replaces."""
        return sample(train, count)

    def losses(self, batch: Batch) -> Iterator[Loss]:
        """Yields (player, loss); the loop steps that player before it asks for the next loss. By
        default the weighted sum of `terms`, for the one network."""
        yield "network", self.weighted(self.terms(batch))

    def terms(self, batch: Batch) -> Mapping[str, Tensor]:
        """The parts of a loss by name, each weighted by the option of that name."""
        raise NotImplementedError

    def weighted(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Σ weight · term, the weight of a term being the option of its name. Each term's value is
        kept for the learning curve. Terms of weight 0 may be left out of `terms`.

        Raises CourseError when no term is left.
        """
        if not terms:
            raise CourseError("No term of the loss has a weight, so there is nothing to learn.")
        self.told |= {name: value.detach() for name, value in terms.items()}
        first, *others = (getattr(self, name) * value for name, value in terms.items())
        return sum(others, first)

    def predict(self, batch: Batch) -> Any:
        """The method's answer for a batch of whole cases."""
        raise NotImplementedError

    def players(self) -> Mapping[str, Iterable[nn.Parameter]]:
        """Player → its parameters: all players of all stages; they may overlap."""
        return {"network": self.parameters()}

    def optimiser(self, player: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser of one player; each stage makes its own."""
        return torch.optim.Adam(parameters, lr=self.learning_rate)

    def after_step(self, player: str) -> None:
        """Called after each step of a player, for example to clip a critic's weights."""


class Classical:
    """A method without gradient descent. Its settings are chosen from `grid` on validation. It can
    read `facts`, those of the data set that it is used on."""

    grid: ClassVar[tuple[dict[str, Any], ...]] = ({},)
    facts: Facts

    def fresh(self, facts: Facts, device: torch.device | str = "cpu") -> Self:
        """The method for a data set of these facts, with nothing learnt."""
        self.facts = facts
        self.build(facts)
        return self

    def build(self, facts: Facts) -> None:
        """Forgets all that was learnt; by default there is nothing to forget.

        Raises CourseError when the method is made for other data.
        """

    def prepare(self, train: Cases) -> None:
        """Called once before the settings are chosen: for classical machine learning, which
        learns from training cases in its own way. By default nothing."""

    def predict(self, batch: Batch) -> Any:
        """The method's answer for a batch of whole cases."""
        raise NotImplementedError

    def set(self, settings: Mapping[str, Any]) -> None:
        """Takes on one entry of `grid`."""
        for name, value in settings.items():
            setattr(self, name, value)
