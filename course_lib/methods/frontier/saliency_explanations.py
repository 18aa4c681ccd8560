"""Visual explanations: a map of what a classifier looked at, and its sanity checks.

A network that was trained on yes and no only is asked where it saw the nodule. Six answers, see
`parts.frontier.saliency`: `gradient`, `smooth_grad`, `integrated_gradients`, `cam`, `grad_cam`,
`occlusion`. None can be right or wrong by itself; each is doubted in three ways (Adebayo et al.
2018, NeurIPS):

    does it lie on the nodule?              pointing, mass
    does it change when the weights do?     sanity: against a copy with random weights
    does the answer fall when what it marks is blurred away?    deletion, insertion

and on data with a shortcut: does it show the shortcut? Images (N, 1, H, W) HU, maps (N, 1, H, W).
The classifier is the course's small ResNet; its training is the same for all maps.

Selvaraju et al. 2017, Grad-CAM, ICCV, doi 10.1109/ICCV.2017.74; Sundararajan, Taly & Yan 2017,
Axiomatic attribution for deep networks, ICML. Shrunk: networks and images are small.
"""

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Batch, Facts
from course_lib.methods.base import Method
from course_lib.parts.frontier import saliency
from course_lib.parts.frontier.reader import seen, small_resnet


class SaliencyExplanations(Method):
    """A classifier and one kind of map.

    Arguments:
        kind: a key of `parts.frontier.saliency.MAPS`.
    Raises CourseError for another kind.
    """

    learning_rate = 2e-3

    def __init__(self, kind: str = "grad_cam") -> None:
        super().__init__()
        self.map = saliency.saliency(kind)

    def build(self, facts: Facts) -> None:
        """The classifier."""
        self.network = small_resnet()

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Cross-entropy of yes and no; no outline is used."""
        scores = self.network(seen(batch["image"], self.facts.window))
        yield "network", F.cross_entropy(scores, batch["label"])

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Probabilities, the map, the map of a network of random weights, and the probabilities
        while the map's highest pixels go first, or come back first."""
        image = seen(batch["image"], self.facts.window)
        heat = self.map(self.network, image)
        return {
            "probability": self.network(image).softmax(1).detach(),
            "map": heat,
            "randomised": self.map(saliency.randomised(self.network), image),
            "deletion": saliency.curve(self.network, image, heat),
            "insertion": saliency.curve(self.network, image, heat, insert=True),
        }
