"""Weak supervision: a class activation map becomes an outline, and an outline a teacher.

New in the idea: the label "there is a nodule" costs a word, an outline minutes. A classifier that
ends in a global mean and a linear layer says, for free, where it looked (CAM). Its map, cut at a
share of its maximum and kept to what is brighter than around, is a pseudo-outline; a U-Net learns
from those of all images, and from the true outlines of the few that have one.

    1  classify:  CE(yes or no),  CAM = Σ_k w_k f_k
    2  segment:   BCE + 1 − Dice, the nodule's pixels tenfold, against
                  M = [CAM > ½ max CAM] · [x > mean of x where CAM > ½ max]
                  images without a nodule: M = 0;  outlined images: M = the outline
    3  refine:    the same U-Net and loss on the outlined images alone; on all, if none is

The stages have half, a quarter and a quarter of the steps. Images (N, 1, H, W) HU, maps alike.

Zhou, Khosla, Lapedriza, Oliva & Torralba 2016, Learning deep features for discriminative
localization, CVPR, doi 10.1109/CVPR.2016.319. Shrunk: the small ResNet and a U-Net of four levels;
the paper stops at boxes around CAM > 20% of its maximum.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Cases
from course_lib.methods.base import Method, Stage
from course_lib.parts.frontier.outline import outline_loss, outline_net
from course_lib.parts.frontier.reader import seen, small_resnet
from course_lib.parts.frontier.saliency import cam


class WeakSupervisionCAMMIL(Method):
    """CAM, pseudo-outlines, U-Net.

    Arguments:
        level: where the map is cut, as a share of its maximum.
        use_masks: whether the outlines that there are teach too.
    """

    learning_rate = 3e-3
    stages = (Stage("classify", 2), Stage("segment", 1), Stage("refine", 1))
    stage = "classify"

    def __init__(self, level: float = 0.5, use_masks: bool = True) -> None:
        super().__init__()
        self.level, self.use_masks = level, use_masks
        self.classifier, self.outliner = small_resnet(), outline_net()
        self.outlined: list[int] | None = None

    def prepare(self, train: Cases) -> None:
        """Notes which cases are outlined, if any."""
        self.outlined = train["has_mask"].nonzero().flatten().tolist() or None

    def pool(self, done: float) -> Sequence[int] | None:
        """The last stage draws outlined cases only, if there are any and they may be used."""
        return self.outlined if self.stage == "refine" and self.use_masks else None

    def players(self) -> Mapping[str, Iterable[nn.Parameter]]:
        """First the classifier, then the outliner."""
        first = self.stage == "classify"
        return {self.stage: (self.classifier if first else self.outliner).parameters()}

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """The stage's loss."""
        image = seen(batch)
        if self.stage == "classify":
            yield "classify", F.cross_entropy(self.classifier(image), batch["label"])
            return
        target = self.pseudo_outline(image, batch["label"])
        if self.use_masks:
            known = batch["has_mask"].view(-1, 1, 1, 1)
            target = torch.where(known, batch["mask"].float(), target)
        yield self.stage, outline_loss(self.outliner(image), target)

    @torch.no_grad()
    def pseudo_outline(self, image: Tensor, label: Tensor) -> Tensor:
        """M of images (N, 1, H, W), 0 or 1; empty where the label says that there is nothing."""
        self.classifier.eval()
        heat = cam(self.classifier, image)
        self.classifier.train(self.training)
        near = heat > self.level * heat.amax((2, 3), keepdim=True)
        # A nodule is brighter than the lung around it: a map is coarse, the image is not.
        middle = (image * near).sum((2, 3), keepdim=True) / near.sum((2, 3), keepdim=True).clamp(1)
        return (near & (image > middle)).float() * label.view(-1, 1, 1, 1)

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """The classifier's probability; the map: CAM over its maximum in the first stage, the
        outliner's pixel probabilities later."""
        image = seen(batch)
        if self.stage == "classify":
            heat = cam(self.classifier, image)
            heat = heat / heat.amax((2, 3), keepdim=True).clamp_min(1e-6)
        else:
            heat = self.outliner(image).sigmoid()
        return {"probability": self.classifier(image).softmax(1), "map": heat}
