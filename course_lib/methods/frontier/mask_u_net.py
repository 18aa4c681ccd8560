"""A U-Net on the few outlines that there are: what weak labels must beat.

    loss = BCE(pixels, the nodule's tenfold) + 1 − Dice,   on outlined cases only

Images without an outline are never drawn, however many there are. Images (N, 1, H, W) HU; out come
pixel probabilities, and their highest, a little smoothed, as the probability of a nodule.

Ronneberger, Fischer & Brox 2015, MICCAI, doi 10.1007/978-3-319-24574-4_28. Shrunk: 8 to 64 maps in
four levels.
"""

from collections.abc import Iterator

from torch import Tensor

from course_lib.cases import Batch, Cases, Facts
from course_lib.errors import CourseError
from course_lib.methods.base import Method, Sample
from course_lib.parts.frontier.outline import highest, outline_loss, outline_net
from course_lib.parts.frontier.reader import seen, two


class MaskUNet(Method):
    """Supervised by outlines alone."""

    learning_rate = 3e-3

    def build(self, facts: Facts) -> None:
        """The U-Net. Raises CourseError if no case has an outline."""
        if not facts.outlined:
            raise CourseError("No training case has an outline: choose a data set with some.")
        self.network = outline_net()

    def begin(self, stage: str, train: Cases) -> None:
        """Keeps the outlined cases."""
        self.known = train.subset(train["has_mask"].nonzero().flatten().tolist())

    def draw(self, train: Cases, sample: Sample, count: int) -> Batch:
        """Only outlined cases are drawn."""
        return sample(self.known, count)

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Pixels against the outlines."""
        scores = self.network(seen(batch["image"], self.facts.window))
        yield "network", outline_loss(scores, batch["mask"].float())

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Pixel probabilities and the highest of them."""
        heat = self.network(seen(batch["image"], self.facts.window)).sigmoid()
        return {"probability": two(highest(heat)), "map": heat}
