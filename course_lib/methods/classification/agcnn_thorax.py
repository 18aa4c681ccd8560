"""AG-CNN: look at the whole, find where it matters, look there again (survey 4.1, [102]).

    heat(x) = max over channels of |last maps of the global branch|, scaled to 0 … 1
    crop    = bounding box of the largest connected region with heat > τ, enlarged to full size
    p = softmax(W [g, l]):   g, l: pooled features of the global and of the local branch

Three stages: the global branch learns; then the local one on the crops, with the global one frozen;
then the fusion layer on both, frozen. The crop comes from the heat map alone; labels and outlines
are never asked. Images (N, C, H, W) in [0, 1] by their window, out come the fusion's probabilities
(N, classes); `branches` gives those of all three.

Controls: `crop="random"` takes a box of the same size anywhere, `crop="outline"` the readers' own.

Shrunk: two ResNets of 308 thousand parameters instead of ResNet-50; softmax over two classes
instead of fourteen findings; Adam. The stride of the last stage is 1, so that the heat map has 8x8
places, and a crop has at least a quarter of the side, so that one hot place is not all there is.

Source: Guan, Huang, Zhong, Zheng, Zheng & Yang 2018, Diagnose like a radiologist: attention guided
convolutional neural network for thorax disease classification, arXiv:1801.09927,
doi 10.48550/arXiv.1801.09927. (Another AG-CNN, for glaucoma, is the survey's [104].)
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor, nn

from course_lib.cases import Batch, Facts
from course_lib.errors import CourseError
from course_lib.methods.base import Loss, Stage
from course_lib.methods.classification import Classifier
from course_lib.parts.cells import Cells
from course_lib.parts.intensity import unit_range
from course_lib.parts.resnet import ResNet

CROPS = ("attention", "random", "outline")
STRIDES = (1, 2, 2, 1)


def heat_map(maps: Tensor, size: tuple[int, int], cells: Cells) -> Tensor:
    """max over channels of |maps| (N, K, h, w), whose `cells` lie so in the image, enlarged to
    `size` and scaled to 0 … 1 per case: (N, H, W)."""
    heat = cells.enlarged(maps.abs().amax(dim=1, keepdim=True), size)[:, 0]
    low, high = heat.amin((1, 2), keepdim=True), heat.amax((1, 2), keepdim=True)
    return (heat - low) / (high - low).clamp_min(1e-6)


def attended_box(heat: np.ndarray, tau: float) -> tuple[int, int, int, int]:
    """Top, left, bottom, right (stops excluded) of the largest connected region with heat > tau;
    all of a heat map (H, W) without any."""
    region, count = ndimage.label(heat > tau)
    if count == 0:
        return (0, 0, *heat.shape)
    largest = 1 + int(np.argmax(np.bincount(region.ravel())[1:]))
    rows, columns = ndimage.find_objects(region)[largest - 1]
    return rows.start, columns.start, rows.stop, columns.stop


def at_least(box: tuple[int, int, int, int], side: int, size: tuple[int, int]) -> tuple[int, ...]:
    """The box, square and at least `side` long, moved inside the image of `size`."""
    top, left, bottom, right = box
    side = min(max(side, bottom - top, right - left), *size)
    corner = [
        min(max((start + stop - side) // 2, 0), length - side)
        for start, stop, length in ((top, bottom, size[0]), (left, right, size[1]))
    ]
    return corner[0], corner[1], corner[0] + side, corner[1] + side


class AGCNN(Classifier):
    """Global branch, local branch on the attended crop, and their fusion.

    Arguments:
        crop: `attention`, or the controls `random` and `outline`.
        tau: threshold of the heat map, in (0, 1).
    Raises CourseError for another crop or tau.
    """

    learning_rate = 1e-3
    schedule = "stage"  # each branch starts at the full rate when its turn comes
    stages = (
        Stage("global", 3, ("global",)),
        Stage("local", 2, ("local",)),
        Stage("fusion", 1, ("fusion",)),
    )

    def __init__(self, crop: str = "attention", tau: float = 0.7) -> None:
        super().__init__()
        if crop not in CROPS:
            raise CourseError(f"There is no crop {crop!r}; there are: {', '.join(CROPS)}.")
        if not 0 < tau < 1:
            raise CourseError(f"tau lies between 0 and 1, not {tau}.")
        self.crop, self.tau = crop, tau

    def build(self, facts: Facts) -> None:
        """The three parts.

        Raises CourseError for volumes: the crop is one of images."""
        if facts.dims != 2:
            raise CourseError("AG-CNN crops images; for volumes take resnet_baseline.")
        self.whole = ResNet(facts.classes, facts.channels, strides=STRIDES)
        self.local = ResNet(facts.classes, facts.channels, strides=STRIDES)
        self.fusion = nn.Linear(self.whole.width + self.local.width, facts.classes)

    def players(self) -> dict[str, Iterable[nn.Parameter]]:
        """The two branches and what joins them."""
        return {
            "global": self.whole.parameters(),
            "local": self.local.parameters(),
            "fusion": self.fusion.parameters(),
        }

    def boxes(self, heat: Tensor, batch: Batch) -> list[tuple[int, ...]]:
        """Where to look again, from heat maps (N, H, W); only the control that may see outlines
        asks for them."""
        size = heat.shape[1], heat.shape[2]
        if self.crop == "outline":
            found = [attended_box(one > 0, 0.5) for one in batch["mask"][:, 0].cpu().numpy()]
        else:
            found = [attended_box(one, self.tau) for one in heat.detach().cpu().numpy()]
        square = [at_least(box, min(size) // 4, size) for box in found]
        if self.crop == "random":
            square = [self._anywhere(box, size) for box in square]
        return square

    def _anywhere(self, box: tuple[int, ...], size: tuple[int, int]) -> tuple[int, ...]:
        """The same side, elsewhere: random in training, in the test the farthest corner."""
        side = box[2] - box[0]
        if self.training:
            top, left = (int(torch.randint(n - side + 1, (1,))) for n in size)
        else:
            top, left = (0 if box[k] + side / 2 > n / 2 else n - side for k, n in enumerate(size))
        return top, left, top + side, left + side

    def _scores(self, batch: Batch) -> dict[str, Tensor]:
        """Class scores of the branches; the global one's alone while it learns."""
        unit = 2 * unit_range(batch["image"], self.facts.window) - 1
        last = self.whole.maps(unit)[-1]
        pooled = last.flatten(2).mean(2)
        scores = {"global": self.whole.head(self.dropped(pooled))}
        if self.stage == "global":
            return scores
        size = unit.shape[-2], unit.shape[-1]
        boxes = self.boxes(heat_map(last.detach(), size, self.whole.cells()[-1]), batch)
        crops = [
            one[None, :, t:b, left:right]
            for one, (t, left, b, right) in zip(unit, boxes, strict=True)
        ]
        crops = [F.interpolate(c, size=size, mode="bilinear", align_corners=False) for c in crops]
        near = self.local.features(torch.cat(crops))
        return scores | {
            "local": self.local.head(self.dropped(near)),
            "fusion": self.fusion(self.dropped(torch.cat([pooled, near], 1))),
        }

    def losses(self, batch: Batch) -> Iterator[Loss]:
        """Cross-entropy of the branch whose turn it is."""
        yield self.stage, F.cross_entropy(self._scores(batch)[self.stage], batch["label"])

    def branches(self, batch: Batch) -> dict[str, Tensor]:
        """Probabilities (N, classes) of `global`, `local` and `fusion`."""
        return {name: values.softmax(1) for name, values in self._scores(batch).items()}

    def predict(self, batch: Batch) -> Tensor:
        """The fusion's probabilities (N, classes); before its turn, those of the branch whose
        turn it is."""
        return self.branches(batch)[self.stage]
