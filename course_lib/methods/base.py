"""What a method is: it predicts, and if it learns, it yields losses for its players."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from course_lib.cases import Batch, Cases


@dataclass(frozen=True)
class Stage:
    """One part of a training: its name and its share of the steps."""

    name: str
    share: float = 1.0


class Method(nn.Module):
    """A method that learns. Subclasses write `losses` and `predict`; the rest has defaults.

    A *player* is a set of parameters with an optimiser of its own: one `network` for a supervised
    method; `generator` and `critic` for an adversarial one.
    """

    learning_rate: float = 1e-3
    evaluations: int | None = None  # fewer than the plan's, where predicting takes long
    stages: tuple[Stage, ...] = (Stage("train"),)
    stage: str = "train"

    def prepare(self, train: Cases) -> None:
        """Called once before training: for what a network must know of its data set, such as a
        factor or a number of classes. By default nothing."""

    def pool(self, done: float) -> Sequence[int] | None:
        """Which training cases may be drawn once a share `done` (0 to 1) of the steps is behind;
        None: all of them. What a curriculum decides."""
        return None

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Yields (player, loss); the loop steps that player before it asks for the next loss."""
        raise NotImplementedError

    def predict(self, batch: Batch) -> Any:
        """The method's answer for a batch of whole cases."""
        raise NotImplementedError

    def players(self) -> Mapping[str, Iterable[nn.Parameter]]:
        """Player → its parameters. May depend on `self.stage`."""
        return {"network": self.parameters()}

    def optimiser(self, player: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser of one player."""
        return torch.optim.Adam(parameters, lr=self.learning_rate)

    def after_step(self, player: str) -> None:
        """Called after each step of a player, for example to clip a critic's weights."""


class Classical:
    """A method without gradient descent. Its settings are chosen from `grid` on validation."""

    grid: ClassVar[tuple[dict[str, Any], ...]] = ({},)

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
