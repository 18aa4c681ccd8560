"""Patch-wise detection: a window slides over the image, and a CNN says nodule or not, each time.

    p(y, x) = CNN(image[y - 12 : y + 12, x - 12 : x + 12]),   boxes = NMS over all windows

Where the survey's chapter on detection begins. Every window is a forward pass of its own, and
neighbours repeat each other's work: that is what one- and two-stage detectors save. Half of the
training patches lie on objects. In the second half of the training the others are the hardest of
many: those that the network, so far, takes for an object (`mining=False`: more of the first half).

Images (N, C, H, W) HU → boxes (N, 100, 4) pixels, scores, labels. All boxes have one side, the
median of the training boxes: the network says where, not how large.

Generic, as described in the survey; early for mitoses: Ciresan et al. 2013, MICCAI,
doi 10.1007/978-3-642-40763-5_51.
Shrunk: three convolutions and patches of 24 pixels, a stride of 4 (an argument).
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Cases, Facts
from course_lib.methods.base import Stage
from course_lib.methods.detection import Detector
from course_lib.parts.detection.boxes import padded, suppress_classes, targets
from course_lib.parts.detection.pyramid import normalised

PATCH = 24
POSITIVES = 8  # of each kind, per image
CANDIDATES = 48  # negatives among which the hardest are looked for


def classifier(channels: int, classes: int, width: int = 16) -> nn.Sequential:
    """(N, channels, 24, 24) → (N, classes) logits."""
    layers: list[nn.Module] = []
    for before, after in ((channels, width), (width, 2 * width), (2 * width, 2 * width)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
    return nn.Sequential(
        *layers, nn.Flatten(), nn.Linear(18 * width, 32), nn.ReLU(True), nn.Linear(32, classes)
    )


class PatchCNNDetector(Detector):
    """`stride` between windows in pixels; `mining`: with the round of hard negatives."""

    learning_rate = 2e-3
    schedule = "stage"  # the second round is a training of its own

    def __init__(self, stride: int = 4, mining: bool = True) -> None:
        super().__init__()
        self.stride = stride
        self.stages = (Stage("balanced"), Stage("hard" if mining else "balanced again"))

    def build(self, facts: Facts) -> None:
        """The classifier of windows; the side of a box is not known yet."""
        self.network = classifier(facts.channels, facts.classes)
        self.register_buffer("side", torch.tensor(8.0))

    def begin(self, stage: str, train: Cases) -> None:
        """Learns the usual side of a box."""
        there = train["labels"] >= 0
        sides = train["boxes"][..., 2:] - train["boxes"][..., :2]
        self.side = sides[there].mean(-1).median()

    def _patches(self, image: Tensor, centre: Tensor) -> Tensor:
        """Windows (k, C, 24, 24) of a padded image (C, H + 24, W + 24) around centres (k, 2), whole
        pixels from the image's edge: twelve pixels before it, twelve from it on."""
        span = torch.arange(PATCH, device=image.device)
        rows, columns = centre[:, :1] + span, centre[:, 1:] + span
        return image[:, rows[:, :, None], columns[:, None, :]].transpose(0, 1)

    def _padded(self, image: Tensor) -> Tensor:
        return F.pad(normalised(image, self.facts.window), [PATCH // 2] * 4, value=-1.0)

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Binary cross-entropy of as many patches on objects as off them."""
        images, patches, labels = self._padded(batch["image"]), [], []
        extent = torch.tensor(batch["image"].shape[-2:], device=images.device)
        for case, image in enumerate(images):
            boxes, kinds = targets(batch, case)
            if len(boxes):
                pick = torch.randint(len(boxes), (POSITIVES,), device=boxes.device)
                patches.append(self._patches(image, places_on(boxes[pick], extent)))
                labels.append(kinds[pick])
            windows = self._background(image, places_off(boxes, extent))
            patches.append(windows)
            labels.append(torch.full((len(windows),), -1, device=images.device))
        logits, label = self.network(torch.cat(patches)), torch.cat(labels)
        truth = (label[:, None] == torch.arange(logits.shape[1], device=label.device)).float()
        yield "network", F.binary_cross_entropy_with_logits(logits, truth)

    def _background(self, image: Tensor, place: Tensor) -> Tensor:
        """Windows around some of the places: the first ones, or those that look most like an
        object."""
        if self.stage != "hard" or not len(place):
            return self._patches(image, place[:POSITIVES])
        windows = self._patches(image, place)
        with torch.no_grad():
            likely = self.network(windows).amax(1)
        return windows[likely.topk(min(POSITIVES, len(windows))).indices]

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Scores of all windows, thinned out by non-maximum suppression."""
        images, found = self._padded(batch["image"]), []
        height, width = batch["image"].shape[-2:]
        rows, columns = (torch.arange(self.stride // 2, n, self.stride) for n in (height, width))
        grid = torch.cartesian_prod(rows, columns).to(images.device)
        centre = grid.float()  # a window has as many pixels before its centre as from it on
        every = torch.cat([centre - self.side / 2, centre + self.side / 2], 1)
        for image in images:
            scores, labels = self.network(self._patches(image, grid)).sigmoid().max(1)
            best = scores.topk(min(400, len(scores))).indices
            keep = suppress_classes(every[best], scores[best], labels[best], 0.1)
            found.append((every[best][keep], scores[best][keep], labels[best][keep]))
        return padded(found)


def places_on(boxes: Tensor, extent: Tensor) -> Tensor:
    """The centre of a window near the middle of each box (K, 4), (K, 2): an edge between pixels."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    jitter = torch.rand(len(boxes), 2, device=boxes.device) - 0.5
    middle = middle + jitter * (boxes[:, 2:] - boxes[:, :2]).clamp(max=8) / 2
    return torch.minimum(middle.round().long().clamp_min(0), extent - 1)


def places_off(boxes: Tensor, extent: Tensor) -> Tensor:
    """Up to `CANDIDATES` random centres of windows in no box (K, 4), (k, 2)."""
    place = (torch.rand(4 * CANDIDATES, 2, device=boxes.device) * extent).long()
    inside = (place[:, None] >= boxes[:, :2] - 1) & (place[:, None] <= boxes[:, 2:])
    return place[~inside.all(-1).any(1)][:CANDIDATES]
