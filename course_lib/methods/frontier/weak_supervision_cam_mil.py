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

The stages have half, a quarter and a quarter of the steps. The second draws cases as they come, few
of them outlined; with `outlined` = s a share s of each of its batches is, and the rest is not, as
semi-supervised methods draw. Images (N, 1, H, W) HU, maps alike.

Zhou, Khosla, Lapedriza, Oliva & Torralba 2016, Learning deep features for discriminative
localization, CVPR, doi 10.1109/CVPR.2016.319. Shrunk: the small ResNet and a U-Net of four levels;
the paper stops at boxes around CAM > 20% of its maximum.
"""

from collections.abc import Iterable, Iterator, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Cases, Facts
from course_lib.errors import CourseError
from course_lib.methods.base import Method, Sample, Stage
from course_lib.parts.frontier.outline import outline_loss, outline_net
from course_lib.parts.frontier.reader import seen, small_resnet
from course_lib.parts.frontier.saliency import cam


class WeakSupervisionCAMMIL(Method):
    """CAM, pseudo-outlines, U-Net.

    Arguments:
        level: where the map is cut, as a share of its maximum.
        use_masks: whether the outlines that there are teach too.
        outlined: the share of each batch of the second stage that has an outline, if any has;
            0: cases as they come.
    Raises CourseError for a share that is none.
    """

    learning_rate = 3e-3
    schedule = "stage"  # two networks: the outliner starts when the classifier is done
    stages = (
        Stage("classify", 2, ("classifier",)),
        Stage("segment", 1, ("outliner",)),
        Stage("refine", 1, ("outliner",)),
    )

    def __init__(self, level: float = 0.5, use_masks: bool = True, outlined: float = 0.0) -> None:
        super().__init__()
        for name, share in (("level", level), ("outlined", outlined)):
            if not (isinstance(share, int | float) and 0 <= share <= 1):
                raise CourseError(f"{name!r} is a share between 0 and 1, not {share!r}.")
        self.level, self.use_masks, self.outlined = level, use_masks, outlined

    def build(self, facts: Facts) -> None:
        """The classifier and the U-Net."""
        self.classifier, self.outliner = small_resnet(), outline_net()

    def players(self) -> Mapping[str, Iterable[nn.Parameter]]:
        """First the classifier, then the outliner."""
        return {
            "classifier": self.classifier.parameters(),
            "outliner": self.outliner.parameters(),
        }

    def begin(self, stage: str, train: Cases) -> None:
        """Parts the training cases: those with an outline, those without."""
        known = train["has_mask"]
        self.known, self.others = (
            train.subset(which.nonzero().flatten().tolist()) for which in (known, ~known)
        )

    def draw(self, train: Cases, sample: Sample, count: int) -> Batch:
        """Cases as they come in the first stage, a share of them outlined in the second, and only
        outlined ones in the last, if there are any and they may be used."""
        share = {"classify": 0.0, "segment": self.outlined, "refine": 1.0}[self.stage]
        if not (share and self.use_masks and len(self.known)):
            return sample(train, count)
        known = max(1, round(share * count))
        if known == count or not len(self.others):
            return sample(self.known, count)
        pair = sample(self.known, known), sample(self.others, count - known)
        return {name: torch.cat([part[name] for part in pair]) for name in pair[0]}

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """The stage's loss."""
        image = seen(batch["image"], self.facts.window)
        if self.stage == "classify":
            yield "classifier", F.cross_entropy(self.classifier(image), batch["label"])
            return
        target = self.pseudo_outline(image, batch["label"])
        if self.use_masks:
            known = batch["has_mask"].view(-1, 1, 1, 1)
            target = torch.where(known, batch["mask"].float(), target)
        yield "outliner", outline_loss(self.outliner(image), target)

    @torch.no_grad()
    def pseudo_outline(self, image: Tensor, label: Tensor) -> Tensor:
        """M of images (N, 1, H, W), 0 or 1; empty where the label says that there is nothing."""
        heat = cam(self.classifier, image)
        near = heat > self.level * heat.amax((2, 3), keepdim=True)
        # A nodule is brighter than the lung around it: a map is coarse, the image is not.
        middle = (image * near).sum((2, 3), keepdim=True) / near.sum((2, 3), keepdim=True).clamp(1)
        return (near & (image > middle)).float() * label.view(-1, 1, 1, 1)

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """The classifier's probability; the map: CAM over its maximum in the first stage, the
        outliner's pixel probabilities later."""
        image = seen(batch["image"], self.facts.window)
        if self.stage == "classify":
            heat = cam(self.classifier, image)
            heat = heat / heat.amax((2, 3), keepdim=True).clamp_min(1e-6)
        else:
            heat = self.outliner(image).sigmoid()
        return {"probability": self.classifier(image).softmax(1), "map": heat}
