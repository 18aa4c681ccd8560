"""The sampling knob of MR: pattern, acceleration and centre, and what aliasing they leave."""

import torch
from torch import Tensor

from course_lib.lesson.live import Explorer
from course_lib.lesson.picture import PIXELS, Picture, canvas
from course_lib.physics import kspace_masks as masks
from course_lib.physics import mr

PATTERNS = {
    "random lines": lambda size, r, g, centre: masks.cartesian_mask(size, r, 1, g, centre),
    "even lines": lambda size, r, g, centre: masks.cartesian_mask(
        size, r, 1, g, centre, regular=True
    ),
    "points": lambda size, r, g, centre: masks.gaussian_mask(size, r, 1, g, centre=centre),
    "spokes": lambda size, r, g, centre: _spokes(size, r, g),
}


def _spokes(size: tuple[int, int], acceleration: float, generator: torch.Generator) -> Tensor:
    """Spokes never reach the corners of k-space: at acceleration 1 all samples stand for them."""
    if acceleration <= 4 / torch.pi:
        return torch.ones(1, 1, *size)
    return masks.radial_mask(size, acceleration, 1, generator)


def undersampled(
    picture: Tensor, pattern: str, acceleration: int, centre: float
) -> tuple[Tensor, Tensor, float]:
    """(zero-filled magnitude (H, W), mask (H, W), its error in % of the picture's size).

    `picture`: complex (1, 1, H, W). `centre`: share of k-space that is always sampled in full;
    spokes meet there anyway.
    """
    generator = torch.Generator().manual_seed(0)
    size = (picture.shape[-2], picture.shape[-1])
    mask = PATTERNS[pattern](size, acceleration, generator, centre)
    image = mr.adjoint(mr.forward(picture, mask), mask)
    error = (image.abs() - picture.abs()).norm() / picture.norm()
    return image[0, 0].abs(), mask[0, 0], 100 * float(error)


def kspace_explorer(picture: Tensor, pixel_mm: float) -> Explorer:
    """Knobs for the sampling of k-space, over a complex picture (1, 1, H, W): samples beside the
    zero-filled reconstruction."""
    import ipywidgets

    picture = picture.reshape(1, 1, *picture.shape[-2:])
    side = picture.shape[-1] * pixel_mm
    bright = float(picture.abs().quantile(0.995))
    spectrum = mr.fft2c(picture)[0, 0].abs().clamp_min(1e-6).log10()

    # Made once: moving a knob only puts new numbers into the same pictures.
    figure, (left, right) = canvas(2, width=9.5, height=4.0)
    left.set_facecolor("#9ecae1")
    edge = 1 / (2 * pixel_mm)
    extent = (-edge, edge, edge, -edge)
    samples = left.imshow(
        spectrum, **PIXELS, cmap="gray", vmin=-2, vmax=float(spectrum.max()), extent=extent
    )
    left.set(title="What was measured (blue: nothing)")
    left.set(xlabel="frequency (1/mm), phase encoding", ylabel="frequency (1/mm), readout")
    figure.colorbar(samples, ax=left, label="log₁₀ of the magnitude")
    shown = right.imshow(
        picture[0, 0].abs(), **PIXELS, cmap="gray", vmin=0, vmax=bright, extent=(0, side, side, 0)
    )
    right.set(xlabel="mm", ylabel="mm")
    figure.colorbar(shown, ax=right, label="a.u.", extend="max")

    def draw(pattern: str, acceleration: int, centre: float) -> Picture:
        image, mask, error = undersampled(picture, pattern, acceleration, centre / 100)
        share = 100 * float(mask.mean())
        samples.set_data(spectrum.masked_fill(mask == 0, torch.nan))
        shown.set_data(image)
        right.set_title(f"zero-filled, {share:.0f} % of the samples:\nerror {error:.0f} %")
        return Picture(
            figure,
            f"Left: k-space of a brain slice, sampled by {pattern} at {acceleration}-fold "
            f"acceleration, {share:.0f} % of its points; blank where nothing was measured. Right: "
            f"the zero-filled picture, whose error is {error:.0f} % of the picture's size.",
        )

    common = {
        "continuous_update": False,
        "style": {"description_width": "110px"},
        "layout": ipywidgets.Layout(width="480px"),
    }
    controls = {
        "pattern": ipywidgets.Dropdown(
            options=list(PATTERNS),
            description="pattern",
            style=common["style"],
            layout=common["layout"],
        ),
        "acceleration": ipywidgets.IntSlider(
            4, min=1, max=12, description="acceleration", **common
        ),
        "centre": ipywidgets.IntSlider(8, min=1, max=20, description="full centre (%)", **common),
    }
    return Explorer(controls, draw)
