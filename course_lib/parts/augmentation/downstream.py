"""The judge of generated pictures: a small classifier that learns from them and is then tested.

Whatever pictures a method hands to it, the judge is the same: networks, steps, batches, and seeds.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.errors import CourseError
from course_lib.parts.augment import NOTHING, Change
from course_lib.parts.hounsfield import lung_range
from course_lib.parts.start import channels_last

BATCH, EPOCHS, NETWORKS, RATE = 32, 60, 3, 1e-3
CLASSES = 2
STRENGTH = 1.0
"""How far real patches are changed beside made ones: what validation chooses for classic
augmentation alone."""
Draw = Callable[[torch.Generator], tuple[Tensor, Tensor]]


def classifier(side: int = 32, channels: int = 1, width: int = 8) -> nn.Sequential:
    """Three stages of convolution and pooling, a dense layer, and class scores, as in Frid-Adar et
    al. 2018: (N, channels, side, side) → (N, 2)."""
    layers: list[nn.Module] = []
    for stage in (width, 2 * width, 4 * width):
        layers += [nn.Conv2d(channels, stage, 3, padding=1), nn.MaxPool2d(2), nn.ReLU()]
        channels, side = stage, side // 2
    flat = side * side * channels
    dense = [nn.Linear(flat, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, CLASSES)]
    network = nn.Sequential(*layers, nn.Flatten(), *dense)
    channels_last(network)  # a third faster on a processor
    return network


def train_judges(
    draw: Draw, steps: int, device: torch.device, side: int = 32, channels: int = 1
) -> list[nn.Module]:
    """Three classifiers from three fixed seeds, each after `steps` steps of cross-entropy.

    Arguments:
        draw: generator → HU (32, channels, side, side) and the wanted probabilities (32, 2).
    """
    judges: list[nn.Module] = []
    for seed in range(NETWORKS):
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(seed)
            generator = torch.Generator().manual_seed(seed)
            network = classifier(side, channels).to(device).train()
            optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, steps))
            for _ in range(steps):
                with torch.no_grad():
                    images, wanted = draw(generator)
                loss = F.cross_entropy(network(lung_range(images)), wanted)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                schedule.step()
            judges.append(network.eval())
    return judges


class Judged:
    """What all methods share that make training pictures: the real patches that they may see, the
    judge, and the answer. A subclass says in `pictures_of` what pictures it makes.

    `share` is the part of each of the judge's batches that `pictures_of` makes. The rest is real;
    `change` is the classic augmentation of that rest.
    """

    share: float = 0.5
    change: Change = NOTHING
    real: Tensor
    label: Tensor
    cases: int
    _judges: list[nn.Module] | None

    def pictures_of(self, label: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Made pictures for the classes (n,): HU (n, C, H, W), and probabilities (n, 2)."""
        raise NotImplementedError

    def build(self, facts: Any) -> None:
        """Forgets the real patches and what was learnt from them."""
        self.remember(torch.empty(0), torch.empty(0))

    def remember(self, image: Tensor, label: Tensor, cases: int | None = None) -> None:
        """Takes the real patches: HU (n, C, H, W) and classes (n,). `cases`: how many of them are
        real, if some are copies; the judge's steps follow it."""
        self.real, self.label, self.cases = image, label, cases or len(image)
        self.forget_judges()

    def forget_judges(self) -> None:
        """To be called when other pictures are made: the next answer trains new judges."""
        self._judges = None

    def real_of(self, label: Tensor, generator: torch.Generator) -> Tensor:
        """A random real patch of each wanted class, as it was measured."""
        order = torch.rand(len(label), len(self.real), generator=generator).to(label.device)
        fits = self.label[None] == label[:, None]
        return self.real[(order + fits).argmax(1)]

    def judges_batch(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """One of the judge's batches, half of each class: real and made pictures."""
        label = (torch.arange(BATCH) % CLASSES).to(self.real.device)
        made = CLASSES * round(self.share * BATCH / CLASSES)
        parts = []
        if made < BATCH:
            real = self.change(self.real_of(label[made:], generator), generator)
            parts.append((real, certain(label[made:])))
        if made:
            parts.append(self.pictures_of(label[:made], generator))
        images, wanted = zip(*parts, strict=True)
        return torch.cat(images), torch.cat(wanted)

    def judges(self) -> list[nn.Module]:
        """The judges, trained when they are first needed.

        Raises CourseError when there are no real patches yet.
        """
        if not self.cases:
            raise CourseError("The judge has no patches to learn from yet: call `fit` first.")
        if self._judges is None:
            steps = -(-EPOCHS * self.cases // BATCH)
            _, channels, _, side = self.real.shape
            self._judges = train_judges(self.judges_batch, steps, self.real.device, side, channels)
        return self._judges

    def predict(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """`probabilities` (N, 2), the mean of the judges, and `generated`, one made picture for
        each case: HU (N, C, H, W), of class `wanted` and drawn with the seed `draw`."""
        image = batch["image"]
        networks = self.judges()
        guesses = [network(lung_range(image)).softmax(1) for network in networks]
        made = torch.empty_like(image)
        for row, (seed, label) in enumerate(zip(batch["draw"], batch["wanted"], strict=True)):
            generator = torch.Generator().manual_seed(int(seed))
            made[row] = self.pictures_of(label[None], generator)[0][0]
        return {"probabilities": torch.stack(guesses).mean(0), "generated": made}


def checked(share: float) -> float:
    """The made part of a batch. Raises CourseError if it is none."""
    if not 0 <= share <= 1:
        raise CourseError(f"share must lie between 0 and 1, not at {share}.")
    return share


def certain(label: Tensor) -> Tensor:
    """Classes (n,) as probabilities (n, 2) without doubt."""
    return F.one_hot(label, CLASSES).float()
