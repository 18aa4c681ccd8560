"""The oldest segmentation to move: a window of intensities, and what it takes for the structure."""

import numpy as np
import torch
from torch import Tensor

from course_lib.lesson.live import Explorer
from course_lib.lesson.picture import BLUE, ORANGE, PIXELS, Picture, canvas
from course_lib.metrics.segmentation import dice, one_hot


class Threshold:
    """One slice and its labels under a threshold.

    Arguments:
        image: (H, W), 0 and 1 at the ends of the grey window. label: (H, W) whole numbers.
    """

    def __init__(self, image: Tensor, label: Tensor) -> None:
        self.image, self.label = image, label

    def __call__(self, structure: int, low: float, high: float) -> tuple[Tensor, float]:
        """(mask (H, W) of the pixels with low ≤ intensity ≤ high, its Dice with the structure, 0
        where the picture has none)."""
        mask = (self.image >= low) & (self.image <= high)
        truth = one_hot(self.label[None], [structure])
        return mask, float(dice(mask[None, None], truth).nan_to_num(0))

    def best(self, structure: int) -> tuple[float, float, float]:
        """The window (low, high) with the highest Dice among steps of 0.05, and that Dice."""
        steps = np.arange(0, 1.3, 0.05)
        found = [
            (self(structure, low, high)[1], low, high)
            for low in steps
            for high in steps
            if high > low
        ]
        value, low, high = max(found)
        return float(low), float(high), value


def threshold_explorer(image: Tensor, label: Tensor, names: tuple[str, ...]) -> Explorer:
    """A menu of structures and sliders for the window's ends, over a slice with its truth.

    Arguments:
        image: (H, W) or with leading axes of length 1, 0 and 1 at the ends of the grey window.
        label: the same shape, whole numbers.
        names: of the labels 1, 2, …
    """
    import ipywidgets

    image, label = (x.reshape(x.shape[-2:]) for x in (image, label))
    slice_of = Threshold(image, label)
    figure, (left, right) = canvas(2, width=8.5, height=4.2)
    for axis in (left, right):
        axis.imshow(image, **PIXELS, cmap="gray", vmin=0, vmax=1)
        axis.set(xticks=[], yticks=[])
    drawn: list = []

    def outline(axis, mask: Tensor, colour: str) -> None:
        if mask.any() and not mask.all():
            drawn.append(axis.contour(mask.float(), levels=[0.5], colors=colour, linewidths=1.2))

    def draw(structure: int, window: tuple[float, float]) -> Picture:
        while drawn:
            drawn.pop().remove()
        mask, value = slice_of(structure, *window)
        outline(left, label == structure, BLUE)
        outline(right, mask, ORANGE)
        name = names[structure - 1]
        left.set_title(f"truth: {name}")
        right.set_title(f"{window[0]:.2f} to {window[1]:.2f}: Dice {value:.2f}")
        return Picture(
            figure,
            f"A slice twice: on the left the outline of {name}, on the right that of all pixels "
            f"between {window[0]:.2f} and {window[1]:.2f} of the grey window. Dice {value:.2f}.",
        )

    wide = {"layout": ipywidgets.Layout(width="480px"), "style": {"description_width": "110px"}}
    present = [(name, k) for k, name in enumerate(names, 1) if bool((label == k).any())]
    controls = {
        "structure": ipywidgets.Dropdown(options=present, description="structure", **wide),
        "window": ipywidgets.FloatRangeSlider(
            value=(0.6, 1.0),
            min=0.0,
            max=1.25,
            step=0.05,
            description="intensities",
            continuous_update=False,
            **wide,
        ),
    }
    return Explorer(controls, draw)


def pixels(image: Tensor, window: Tensor) -> Tensor:
    """An image with its window's ends (2,) mapped to 0 and 1."""
    low, high = (float(end) for end in torch.as_tensor(window).flatten())
    return (image - low) / (high - low)
