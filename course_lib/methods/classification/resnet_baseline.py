"""ResNet: a block learns what to ADD to its input (survey 4.1: the usual baseline).

    y = relu(x + F(x)),   F: two 3x3 convolutions with batch normalisation

Doing nothing is then easy (F = 0), and gradients reach the first layers unweakened: deep networks
became trainable. Images (N, C, H, W) or (N, C, D, H, W), scaled to [0, 1] by their window; out come
probabilities (N, classes). `shortcuts=False` builds the plain twin without "x +".

Shrunk: one block in each of the four stages instead of two and more, widths 16 to 128 instead of 64
to 512 (308 thousand parameters); Adam instead of SGD with momentum, whose rate is easier to choose.

Source: He, Zhang, Ren & Sun 2016, Deep residual learning for image recognition, CVPR,
doi 10.1109/CVPR.2016.90.
"""

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Batch, Facts
from course_lib.methods.base import Loss
from course_lib.methods.classification import Classifier
from course_lib.parts.intensity import unit_range
from course_lib.parts.resnet import ResNet


class ResNetBaseline(Classifier):
    """A ResNet from scratch.

    Arguments:
        shortcuts: False for the plain twin.
    """

    learning_rate = 1e-3

    def __init__(self, shortcuts: bool = True) -> None:
        super().__init__()
        self.shortcuts = shortcuts

    def build(self, facts: Facts) -> None:
        """The network."""
        self.network = ResNet(facts.classes, facts.channels, facts.dims, shortcuts=self.shortcuts)

    def scores(self, batch: Batch) -> Tensor:
        """Class scores (N, classes)."""
        features = self.network.features(2 * unit_range(batch["image"], self.facts.window) - 1)
        return self.network.head(self.dropped(features))

    def losses(self, batch: Batch) -> Iterator[Loss]:
        """Cross-entropy."""
        yield "network", F.cross_entropy(self.scores(batch), batch["label"])

    def predict(self, batch: Batch) -> Tensor:
        """Probabilities (N, classes)."""
        return self.scores(batch).softmax(1)
