"""The misalignment knob: pairs that do not lie on each other, and what a loss makes of them."""

import torch
from torch import Tensor

from course_lib.lesson.live import Explorer
from course_lib.lesson.picture import PIXELS, Picture, canvas
from course_lib.physics import fields
from course_lib.physics.misalignment import misalignment

PAIRS, LARGEST_MM = 32, 16
BEST = {"L1 (median)": "median", "L2 (mean)": "mean"}


class MovedPairs:
    """One target, moved at random many times: what a network would be shown for one source.

    Arguments:
        target: HU, shape (H, W), square.
        pixel_mm: side of a pixel.
    """

    def __init__(self, target: Tensor, pixel_mm: float) -> None:
        self.target, self.pixel_mm = target[None, None], pixel_mm
        generator = torch.Generator().manual_seed(0)
        self.moves = misalignment(PAIRS, target.shape[-1], 1.0, pixel_mm, generator)

    def __call__(self, mm: float, best: str) -> tuple[Tensor, Tensor]:
        """(the first moved target, the image with the smallest loss over all), (H, W) HU each."""
        moved = fields.warp(self.target.expand(PAIRS, -1, -1, -1), mm * self.moves)[:, 0]
        answer = moved.median(0).values if best == "median" else moved.mean(0)
        return moved[0], answer


def pairs_explorer(source: Tensor, target: Tensor, pixel_mm: float, mm: float = 6.0) -> Explorer:
    """Controls for the misalignment and the loss, over one pair of slices.

    Arguments:
        source: MR, a.u.; target: HU; both (H, W).
        pixel_mm: side of a pixel.
        mm: where the slider stands at first.
    """
    import ipywidgets

    pairs, side = MovedPairs(target, pixel_mm), target.shape[-1] * pixel_mm
    extent = (0, side, side, 0)
    axis_mm = (torch.arange(target.shape[-1]) + 0.5) * pixel_mm

    # Made once: moving a slider only puts new numbers into the same pictures.
    figure, axes = canvas(3, width=11.0, height=3.6)
    axes[0].imshow(source, **PIXELS, cmap="gray", extent=extent)
    shown = axes[1].imshow(target, **PIXELS, cmap="gray", vmin=-200, vmax=1200, extent=extent)
    figure.colorbar(shown, ax=axes[1], label="HU", extend="both", shrink=0.8)
    contour: list = []

    def draw(mm: float, best: str) -> Picture:
        first, answer = pairs(mm, BEST[best])
        while contour:
            contour.pop().remove()
        if (first > 300).any():
            lines = axes[0].contour(
                axis_mm, axis_mm, first, levels=[300], colors="#d55e00", linewidths=1.2
            )
            contour.append(lines)
        shown.set_data(answer)
        middle = target.shape[-1] // 2
        axes[2].clear()
        axes[2].plot(axis_mm, target[middle], color="#000000", label="truth")
        axes[2].plot(axis_mm, answer[middle], color="#d55e00", label="smallest loss")
        axes[2].set(xlabel="mm", ylabel="HU", title="Across the middle", ylim=(-1100, 1500))
        axes[2].legend(frameon=False, loc="upper center")
        axes[0].set(title="MR, and the bone of its CT", xlabel="mm")
        axes[1].set(title=f"best answer under {best}", xlabel="mm")
        peak = answer[middle].max().item()
        return Picture(
            figure,
            f"Left: an MR slice with the bone's outline of a CT that lies {mm:g} mm beside it. "
            f"Middle: the one image with the smallest {best} loss against {PAIRS} such CTs. Right: "
            f"its profile beside the true one; the highest value is {peak:.0f} HU, against "
            f"{target[middle].max().item():.0f} HU.",
        )

    style = {"description_width": "110px"}
    controls = {
        "mm": ipywidgets.FloatSlider(
            mm,
            min=0,
            max=LARGEST_MM,
            step=1,
            description="moved by (mm)",
            continuous_update=False,
            style=style,
        ),
        "best": ipywidgets.Dropdown(options=list(BEST), description="loss", style=style),
    }
    return Explorer(controls, draw)
