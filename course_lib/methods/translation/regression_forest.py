"""Random forest: the target value of a pixel, from what its neighbourhood looks like.

    G(x)(p) = mean over trees of the mean target in the leaf that f(x, p) falls into

f holds the pixel itself, Gaussian means, darkest and brightest neighbours at several distances,
and how far the pixel lies inside the head. Trained on pixels drawn from aligned pairs; it has no
meaning for unpaired sets. The size of the leaves is chosen on validation.

In the drawn heads those distances are half of what the trees ask for, because skull and scalp are
drawn there as shells of nearly constant thickness, as in no real population. Without them
(`distances=False`) it falls from 30.0 to 27.1 dB.

Input and output (N, 1, H, W): source in its unit, target in its own.

For CT from MR: Huynh et al. 2016, IEEE TMI 35(1):174-183, doi 10.1109/TMI.2015.2461533, whose
structured forest and auto-context are left out.
"""

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts
from course_lib.errors import CourseError
from course_lib.methods.base import Classical

PIXELS, TREES = 40_000, 15


def features(source: Tensor, limits: tuple[float, float], distances: bool = True) -> Tensor:
    """What the forest knows of each pixel: (N, 1, H, W) → (N, H, W, 13), float32, or 11 without the
    distances to the skin. A pixel is of the head if it lies a tenth of the way between the limits
    of sources."""
    from scipy import ndimage

    image = source[:, 0].numpy()
    flat = (0, 1, 1)  # never across cases
    found = [image]
    for width in (1, 2, 4):
        found.append(ndimage.gaussian_filter(image, [width * k for k in flat]))
        found.append(ndimage.gaussian_laplace(image, [max(width * k, 1e-6) for k in flat]))
    for side in (5, 9):
        found.append(ndimage.minimum_filter(image, [1, side, side]))
        found.append(ndimage.maximum_filter(image, [1, side, side]))
    if not distances:
        return torch.from_numpy(np.stack(found, -1).astype(np.float32))
    low, high = limits
    head = image > low + 0.1 * (high - low)
    body = np.stack([ndimage.binary_fill_holes(layer) for layer in head])
    inside = np.stack([ndimage.distance_transform_edt(layer) for layer in body])
    outside = np.stack([ndimage.distance_transform_edt(~layer) for layer in body])
    found += [inside, outside]
    return torch.from_numpy(np.stack(found, -1).astype(np.float32))


class RegressionForest(Classical):
    """A random forest on local features. `leaf`: the fewest training pixels in a leaf;
    `distances`: whether it knows how far a pixel lies from the skin."""

    grid: ClassVar = ({"leaf": 3}, {"leaf": 15}, {"leaf": 60})
    leaf = 15
    known: tuple[np.ndarray, np.ndarray] | None = None

    def __init__(self, distances: bool = True) -> None:
        self.distances = distances

    def build(self, facts: Facts) -> None:
        """Forgets the training pixels and all forests."""
        self.known = None
        self.forests: dict[int, Any] = {}

    def prepare(self, train: Cases) -> None:
        """Draws pixels of the training pairs."""
        generator = torch.Generator().manual_seed(0)
        table = features(train["source"].cpu(), self.facts.source_range, self.distances).flatten(
            0, 2
        )
        chosen = torch.randint(len(table), (PIXELS,), generator=generator)
        target = train["target"].cpu().flatten()[chosen]
        self.known = table[chosen].numpy(), target.numpy()

    def forest(self) -> Any:
        """The forest with leaves of the present size, grown when it is first asked for. Raises
        CourseError before `prepare`."""
        from sklearn.ensemble import RandomForestRegressor

        if self.known is None:
            raise CourseError("The forest must see training pairs first: call `prepare`.")
        if self.leaf not in self.forests:
            self.forests[self.leaf] = RandomForestRegressor(
                TREES, min_samples_leaf=self.leaf, max_features=0.5, n_jobs=1, random_state=0
            ).fit(*self.known)
        return self.forests[self.leaf]

    def predict(self, batch: Batch) -> Tensor:
        """The target image in its unit."""
        forest = self.forest()
        table = features(batch["source"].cpu(), self.facts.source_range, self.distances)
        values = forest.predict(table.flatten(0, 2).numpy())
        return torch.from_numpy(values).to(batch["source"]).view_as(batch["source"])
