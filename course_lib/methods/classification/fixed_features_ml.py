"""Fixed features: a network trained on photographs looks, a classical classifier decides (4.1).

The weights of an ImageNet network stay as they are; its activations describe the image:

    φ_l(x) = mean and maximum over places of the maps of layer l
    p = classifier(standardised φ_l(x))

with logistic regression, a support vector machine or a random forest. Nothing but the classifier
is fitted, so ten cases may do. Images (N, C, H, W) in [0, 1] by their window, grey ones in three
equal channels, enlarged to 96 pixels; of a volume, eight slices and their mean. Out come
probabilities (N, classes). Layer and classifier are chosen on validation.

`weights="random"` is the control: the same network as it was born, its statistics set to the
training images. What it reaches is not owed to ImageNet.

Shrunk: EfficientNet-Lite0 (4.7 million parameters, real ImageNet weights) instead of OverFeat.

Source: Sharif Razavian, Azizpour, Sullivan & Carlsson 2014, CNN features off-the-shelf, CVPR
Workshops, doi 10.1109/CVPRW.2014.131.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any, ClassVar

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts
from course_lib.errors import CourseError
from course_lib.methods.base import Classical
from course_lib.parts.classification.backbone import LAYERS, calibrate, pooled
from course_lib.parts.classification.learners import Learner, Remembered
from course_lib.parts.efficientnet_lite import EfficientNetLite0
from course_lib.parts.intensity import unit_range
from course_lib.parts.pretrained import efficientnet_lite0


class FixedFeaturesML(Classical):
    """Frozen features and a classifier.

    Arguments:
        weights: `imagenet`, or `random` for the control.
    Raises CourseError for other weights.
    """

    layer: str = "group 6"
    classifier: str = "svm"
    grid: ClassVar[tuple[dict[str, Any], ...]] = tuple(
        {"layer": layer, "classifier": name}
        for layer, name in product(LAYERS, ("logistic_001", "logistic_01", "svm", "forest"))
    )

    def __init__(self, weights: str = "imagenet") -> None:
        if weights not in ("imagenet", "random"):
            raise CourseError(f"Weights are 'imagenet' or 'random', not {weights!r}.")
        self.weights = weights

    def build(self, facts: Facts) -> None:
        """The network; forgets what it saw."""
        known = self.weights == "imagenet"
        self.network = efficientnet_lite0() if known else EfficientNetLite0().eval()
        self.network.requires_grad_(False)
        self.features = Remembered(self._features)
        self.train: tuple[dict[str, Tensor], Tensor] | None = None
        self.learner = Learner(self.classifier, facts.classes)

    def _features(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        unit = unit_range(batch["image"], self.facts.window)
        self.network.to(unit.device)
        with torch.no_grad():
            return {k: v.cpu() for k, v in pooled(self.network, unit).items()}

    def prepare(self, train: Cases) -> None:
        """Looks at every training case once."""
        if self.weights == "random":
            self.network.to(train.device)
            calibrate(self.network, unit_range(train["image"], self.facts.window))
        self.train = self.features(train.tensors), train["label"].cpu()
        self.set({})

    def set(self, settings: Mapping[str, Any]) -> None:
        """Takes on layer and classifier, and fits anew."""
        super().set(settings)
        if self.train is not None:
            features, label = self.train
            self.learner = Learner(self.classifier, self.facts.classes)
            self.learner.fit(features[self.layer], label)

    def predict(self, batch: Batch) -> Tensor:
        """Probabilities (N, classes)."""
        return self.learner(self.features(batch)[self.layer]).to(batch["image"].device)
