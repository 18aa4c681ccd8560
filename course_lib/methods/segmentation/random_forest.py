"""Random forest on filters: what one did before networks learnt their own filters.

Each pixel is described by a fixed set of in-plane filters, at three scales (Gaussian, gradient,
Laplacian, local spread), and by where it lies in the stack. A forest of trees votes for the label.

Image (N, 1, D, H, W), one row of features for each voxel. Trained on 30,000 voxels, half of them
drawn evenly over the labels. Smoothing of the votes and the leaves' size are chosen on validation.

Breiman 2001, Machine Learning 45(1):5-32, doi 10.1023/A:1010933404324.
"""

from itertools import product
from typing import Any, ClassVar

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts
from course_lib.methods.base import Classical
from course_lib.parts.segmentation.stacks import standardise

SCALES = (0.7, 1.5, 3.0)
SAMPLES, TREES = 30_000, 30


class RandomForest(Classical):
    """Labels (N, 1, D, H, W) by vote. `smoothing` of the votes, in pixels; `leaf`: voxels in it."""

    smoothing: float = 0.0
    leaf: int = 3
    grid: ClassVar = tuple({"leaf": n, "smoothing": s} for n, s in product((3, 15), (0.0, 0.7)))

    def build(self, facts: Facts) -> None:
        """Forgets the forests."""
        self.forests: dict[int, Any] = {}

    def prepare(self, train: Cases) -> None:
        """Grows one forest for each size of leaf, with torch's seed."""
        from sklearn.ensemble import RandomForestClassifier

        random = np.random.default_rng(torch.initial_seed() % 2**32)
        rows, labels = [], []
        for k in range(len(train)):
            label = train["label"][k].cpu().numpy().ravel()
            share = min(SAMPLES // len(train), label.size // 8) // 2 + 1
            present = np.unique(label)
            places = [random.integers(label.size, size=share)]
            for structure in present:
                own = np.flatnonzero(label == structure)
                places.append(random.choice(own, size=share // len(present) + 1))
            places = np.concatenate(places)
            rows.append(features(train.batch(slice(k, k + 1)))[places])
            labels.append(label[places])
        for leaf in {settings["leaf"] for settings in self.grid}:
            forest = RandomForestClassifier(
                TREES,
                min_samples_leaf=leaf,
                max_depth=16,
                n_jobs=1,
                random_state=int(random.integers(2**31)),
            )
            self.forests[leaf] = forest.fit(np.concatenate(rows), np.concatenate(labels))

    def predict(self, batch: Batch) -> Tensor:
        """Labels, uint8; without `prepare` everything is background."""
        image = batch["image"]
        if not self.forests:
            return torch.zeros_like(image[:, :1], dtype=torch.uint8)
        forest = self.forests[self.leaf]
        votes = forest.predict_proba(features(batch)).astype(np.float32)
        votes = votes.reshape(len(image), *image.shape[2:], -1)
        if self.smoothing:
            votes = ndimage.gaussian_filter(votes, (0, 0, self.smoothing, self.smoothing, 0))
        labels = forest.classes_[votes.argmax(-1)].astype(np.uint8)
        return torch.from_numpy(labels)[:, None].to(image.device)


def features(batch: Batch) -> np.ndarray:
    """(N, C, D, H, W) → one row for each voxel, (N·D·H·W, 13 C + 4) float32."""
    columns = [column for image in standardise(batch).unbind(1) for column in _filtered(image)]
    shape = columns[0].shape
    for axis in (1, 2, 3):
        line = np.linspace(-1, 1, shape[axis], dtype=np.float32)
        along = [-1 if a == axis else 1 for a in range(4)]
        columns.append(np.broadcast_to(line.reshape(along), shape))
    # Left and right look alike, so the distance from the middle says more than the side.
    columns.append(np.abs(columns[-1]))
    return np.stack(columns, -1).reshape(-1, len(columns)).astype(np.float32)


def _filtered(stack: Tensor) -> list[np.ndarray]:
    """One channel (N, D, H, W) and what the filters make of it."""
    image = stack.cpu().numpy()
    columns = [image]
    for scale in SCALES:
        sigma = (0, 0, scale, scale)
        smooth = ndimage.gaussian_filter(image, sigma)
        spread = ndimage.gaussian_filter(np.square(image - smooth), sigma)
        columns += [
            smooth,
            np.hypot(np.gradient(smooth, axis=2), np.gradient(smooth, axis=3)),
            sum(np.gradient(np.gradient(smooth, axis=a), axis=a) for a in (2, 3)),
            np.sqrt(spread),
        ]
    return columns
