"""SegAN: a critic that does not say *fake*, but shows where its features disagree.

New in the paper: the critic C looks at the image *masked* by a label map, once by the predicted
one, once by the true one. Its feature maps of all levels are compared, pixel for pixel:

    L(S, C) = mean over levels i of  mean |Cᵢ(x · S(x)) − Cᵢ(x · y)|

The critic maximises L, the segmentor S minimises it. In the paper S has no pixel loss; the authors'
public code adds a Dice loss, and so here, with the weight `dice`. L alone (`dice=0`) never finds
the smallest structure: an L1 distance of what is less likely than not is smallest where nothing is
drawn. A comparison of maps says far more than one number real/fake. The critic's weights are
clipped, and each level is batch-normalised, both masked images together; otherwise the critic makes
its deepest maps huge. Image (N, 1, D, H, W), each slice by itself; S(x) are probabilities
(N, K, H, W) of the K structures, and each masks a copy of the image.

Options, the paper's ablations: `levels="last"` compares the deepest level only; `levels="scalar"`
is an ordinary discriminator with one score for a masked image. `critic_rate=0` is the control: a
critic of random features that never learns. Shrunk: the segmentor is a U-Net of 12 to 96 maps, the
critic has four levels of 16 to 64. Windowed intensities are mapped to ½ … 1½ before they are
masked, so that dark structures do not vanish in the product.

Chosen on the two validation cases of brain_tissue, seed 0. Without Dice, 280 steps: 0.590 with the
critic learning at 3e-5, 0.595 with it frozen, 0.405 at 1e-4, 0.281 at 1e-3; 0.447 without
normalisation; 0.45 with a critic for each structure. With Dice, in 50 seconds: 0.746, and all five
structures are found. So the critic's rate of 3e-5 is the fastest that does no harm; that its
learning does any good is not shown.

Xue, Xu, Zhang, Long & Huang 2018, Neuroinformatics 16:383-392, doi 10.1007/s12021-018-9377-x.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Facts
from course_lib.errors import CourseError
from course_lib.methods.base import Loss
from course_lib.methods.segmentation import Segmenter
from course_lib.methods.segmentation.unet import SliceBySlice
from course_lib.parts.segmentation.losses import dice_loss, one_hot
from course_lib.parts.segmentation.stacks import standardise, to_slices
from course_lib.parts.u_net import UNetwork

LEVELS = ("all", "last", "scalar")


class Critic(nn.Module):
    """Masked images (N, K, H, W) → maps of every level, each half as fine as the one before.

    Every level is normalised over the batch, so that none outweighs the others in the mean.
    """

    def __init__(self, structures: int, widths: tuple[int, ...] = (16, 32, 64, 64)) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(after, affine=False, track_running_stats=False),
                nn.LeakyReLU(0.2),
            )
            for before, after in pairwise((structures, *widths))
        )

    def forward(self, masked: Tensor) -> list[Tensor]:
        """The maps, the finest first."""
        maps = []
        for level in self.levels:
            masked = level(masked)
            maps.append(masked)
        return maps


def clipped(network: nn.Module, bound: float) -> nn.Module:
    """The network itself, no weight of it beyond ±bound."""
    for weight in network.parameters():
        weight.data.clamp_(-bound, bound)
    return network


class SegAN(Segmenter):
    """Segmentor and critic.

    Arguments:
        levels: of the critic that are compared: `all`, `last`, or `scalar` for one score.
        bound: of the critic's weights. critic_rate: its learning rate, 0 for one that never learns.
        dice: weight of the public code's Dice loss of the segmentor; 0: none, as in the paper.
    Raises CourseError for other levels, a bound of 0, and a rate or a weight below it.
    """

    network: nn.ModuleDict

    learning_rate = 4e-3  # chosen on validation, against 1e-2
    mixed = False  # as it was tried

    def __init__(
        self,
        levels: str = "all",
        bound: float = 0.05,
        critic_rate: float = 3e-5,
        dice: float = 1.0,
    ) -> None:
        super().__init__()
        if levels not in LEVELS:
            raise CourseError(f"There are no levels {levels!r}; there are: {', '.join(LEVELS)}.")
        if bound <= 0 or critic_rate < 0 or dice < 0:
            raise CourseError(
                "The bound is above 0, critic_rate and dice are not below, not "
                f"{bound}, {critic_rate} and {dice}."
            )
        self.levels, self.bound, self.critic_rate, self.dice = levels, bound, critic_rate, dice

    def build(self, facts: Facts) -> None:
        """The segmentor and its critic, clipped from the start."""
        segmentor = SliceBySlice(UNetwork(facts.channels, facts.classes, (12, 24, 48, 96)))
        critic = clipped(Critic(facts.classes - 1), self.bound)
        self.network = nn.ModuleDict({"segmentor": segmentor, "critic": critic})

    def players(self) -> dict[str, Iterable[nn.Parameter]]:
        """Two players."""
        return {name: part.parameters() for name, part in self.network.items()}

    def optimiser(self, player: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam for the segmentor, and for the critic at a rate and with a memory of its own."""
        if player == "critic":
            return torch.optim.Adam(parameters, lr=self.critic_rate, betas=(0.5, 0.999))
        return super().optimiser(player, parameters)

    def after_step(self, player: str) -> None:
        """Clips the critic's weights to ±bound."""
        if player == "critic":
            clipped(self.network["critic"], self.bound)

    def scores(self, batch: Batch) -> Tensor:
        """Class scores (N, C, D, H, W)."""
        return self.network["segmentor"](standardise(batch)).float()

    def masked(self, batch: Batch, maps: Tensor) -> Tensor:
        """The image, its colours' mean, times each structure's map (N, C, D, H, W): slices
        (N·D, C − 1, H, W)."""
        image = standardise(batch)
        grey = image if image.shape[1] == 1 else image.mean(1, keepdim=True)
        return to_slices((1 + grey / 2) * maps[:, 1:])

    def distance(self, ours: Tensor, theirs: Tensor) -> Tensor:
        """What the critic maximises and the segmentor minimises."""
        maps = self.network["critic"](torch.cat((ours, theirs)))  # normalised together
        pairs = [level.chunk(2) for level in maps]
        if self.levels == "scalar":
            return pairs[-1][1].mean() - pairs[-1][0].mean()
        chosen = pairs if self.levels == "all" else pairs[-1:]
        return sum(F.l1_loss(a, b) for a, b in chosen) / len(chosen)

    def losses(self, batch: Batch) -> Iterator[Loss]:
        """The critic's loss, then the segmentor's: the same number with opposite signs, but for
        the Dice that may be added."""
        scores = self.scores(batch)
        probabilities = scores.softmax(1)
        truth = one_hot(batch["label"], probabilities.shape[1])
        real, fake = (self.masked(batch, maps) for maps in (truth, probabilities))
        yield "critic", -self.distance(fake.detach(), real)
        distance = self.distance(fake, real)
        extra = self.dice * dice_loss(scores, batch["label"]) if self.dice else 0.0
        yield "segmentor", distance + extra
