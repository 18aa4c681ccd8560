"""A network meets another scanner: the benchmark's plain reader, with no remedy.

    loss = CE(yes or no) + o · BCE(pixels)

One network gives three rows: classification (its probability), segmentation (its pixels above one
half) and detection (its most certain pixel). It is trained on the scanners that the data set
allows, and then left alone: `domain_generalisation` adds remedies to exactly this network. The test
shows each patient to all scanners, so only the scanner can be the reason of a fall. Images
(N, 1, H, W) HU. Here o = 1; with o = 0 the outlines are left out, and the network learns from yes
and no alone.

The survey states the problem without naming a paper. An instance: Zech et al. 2018, PLoS Medicine
15(11):e1002683, doi 10.1371/journal.pmed.1002683: pneumonia detectors fell in other hospitals.
"""

import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Batch, Facts
from course_lib.methods.base import Method
from course_lib.parts.frontier.reader import Reader, seen


class DomainShiftBenchmark(Method):
    """The reader without remedy.

    Arguments:
        outline: the weight of the pixels; that of the label is 1.
    """

    learning_rate = 2e-3
    label = 1.0

    def __init__(self, outline: float = 1.0) -> None:
        super().__init__()
        self.outline = outline

    def build(self, facts: Facts) -> None:
        """The network; without outlines, what reads pixels does not learn."""
        self.network = Reader()
        if not self.outline:
            self.network.pixels.requires_grad_(False)

    def image(self, batch: Batch) -> Tensor:
        """What the network sees: −1 black, 1 white."""
        return seen(batch["image"], self.facts.window)

    def changed(self, image: Tensor) -> Tensor:
        """What is done to training images: nothing."""
        return image

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of the label and of every pixel; pixels of nodules weigh ten times."""
        scores, pixels = self.network(self.changed(self.image(batch)))
        terms = {"label": F.cross_entropy(scores, batch["label"])}
        if self.outline:
            mask = batch["mask"].float()
            terms["outline"] = F.binary_cross_entropy_with_logits(pixels, mask, weight=1 + 9 * mask)
        return terms

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Probabilities of the label and of every pixel."""
        scores, pixels = self.network(self.image(batch))
        return {"probability": scores.softmax(1), "map": pixels.sigmoid()}
