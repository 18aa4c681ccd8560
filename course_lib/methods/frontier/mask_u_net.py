"""A U-Net on the few outlines that there are: what weak labels must beat.

    loss = BCE(pixels, the nodule's tenfold) + 1 − Dice,   on outlined cases only

Images without an outline are never drawn, however many there are. Images (N, 1, H, W) HU; out come
pixel probabilities, and their highest, a little smoothed, as the probability of a nodule.

Ronneberger, Fischer & Brox 2015, MICCAI, doi 10.1007/978-3-319-24574-4_28. Shrunk: 8 to 64 maps in
four levels.
"""

from collections.abc import Iterator, Sequence

from torch import Tensor

from course_lib.cases import Batch, Cases
from course_lib.errors import CourseError
from course_lib.methods.base import Method
from course_lib.parts.frontier.outline import highest, outline_loss, outline_net
from course_lib.parts.frontier.reader import seen, two


class MaskUNet(Method):
    """Supervised by outlines alone."""

    learning_rate = 3e-3

    def __init__(self) -> None:
        super().__init__()
        self.network = outline_net()
        self.outlined: list[int] | None = None

    def prepare(self, train: Cases) -> None:
        """Notes which cases are outlined. Raises CourseError if none is."""
        self.outlined = train["has_mask"].nonzero().flatten().tolist()
        if not self.outlined:
            raise CourseError("No training case has an outline: choose a data set with some.")

    def pool(self, done: float) -> Sequence[int] | None:
        """Only outlined cases are drawn."""
        return self.outlined

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Pixels against the outlines."""
        yield "network", outline_loss(self.network(seen(batch)), batch["mask"].float())

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Pixel probabilities and the highest of them."""
        heat = self.network(seen(batch)).sigmoid()
        return {"probability": two(highest(heat)), "map": heat}
