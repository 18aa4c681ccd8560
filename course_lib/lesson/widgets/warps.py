"""The deformation knob: how strong and how smooth a random field is, its grid and its folds."""

import torch
from torch import Tensor

from course_lib.lesson.live import Explorer
from course_lib.lesson.picture import PIXELS, Picture, canvas
from course_lib.physics import fields

EVERY = 3  # grid lines lie so many pixels apart


class RandomWarp:
    """One image under a random field: what does not change with the knobs, made once.

    Arguments:
        image: (size, size) or with leading axes of length 1, any unit.
    """

    def __init__(self, image: Tensor) -> None:
        self.image = image.reshape(1, 1, *image.shape[-2:]).float()

    def __call__(self, strength: float, smoothness: float, integrate: bool) -> tuple[Tensor, ...]:
        """(warped image, determinant, positions (2, H, W), percent folded).

        `strength` and `smoothness` in pixels; `integrate` makes the flow of the field, not the
        field itself, the displacement.
        """
        generator = torch.Generator().manual_seed(3)
        shape = self.image.shape[2:]
        field = fields.random_velocity(shape, 1, smoothness, strength, generator)
        if integrate:
            field = fields.exponential(field, 8)
        warped = fields.warp(self.image, field)
        positions = fields.voxel_grid(shape) + field[0]
        folded = float(fields.folding_percent(field)[0])
        return warped[0, 0], fields.jacobian_determinant(field)[0], positions, folded


def warp_explorer(image: Tensor, pixel_mm: float) -> Explorer:
    """Sliders for strength and smoothness of a field: warped image with grid, and determinant.

    Arguments:
        image: (size, size) or with leading axes of length 1.
        pixel_mm: side of a pixel.
    """
    import ipywidgets

    warp = RandomWarp(image)
    shape = warp.image.shape[2:]
    figure, (left, right) = canvas(2, width=9.5, height=4.2)
    top = float(warp.image.quantile(0.995))
    extent = (0, shape[1] * pixel_mm, shape[0] * pixel_mm, 0)
    shown = left.imshow(warp.image[0, 0], **PIXELS, cmap="gray", vmin=0, vmax=top, extent=extent)
    rows = [left.plot([], [], color="#e69f00", linewidth=0.6)[0] for _ in range(0, shape[0], EVERY)]
    columns = [
        left.plot([], [], color="#e69f00", linewidth=0.6)[0] for _ in range(0, shape[1], EVERY)
    ]
    left.set(xlabel="mm", ylabel="mm", xlim=extent[:2], ylim=extent[2:])
    ones = torch.ones(shape)
    area = right.imshow(ones, **PIXELS, cmap="PuOr_r", vmin=-1, vmax=3, extent=extent)
    figure.colorbar(area, ax=right, label="determinant (1: area kept, below 0: folded)")
    right.set(xlabel="mm", ylabel="mm")

    def draw(strength: float, smoothness: float, integrate: bool) -> Picture:
        warped, determinant, places, folded = warp(
            strength / pixel_mm, smoothness / pixel_mm, integrate
        )
        places = (places + 0.5) * pixel_mm  # a pixel's middle
        shown.set_data(warped)
        area.set_data(determinant)
        for number, line in enumerate(rows):
            line.set_data(places[1, number * EVERY], places[0, number * EVERY])
        for number, line in enumerate(columns):
            line.set_data(places[1, :, number * EVERY], places[0, :, number * EVERY])
        left.set_title("Warped, and where each grid line looks")
        right.set_title(f"{folded:.1f} % of the pixels fold")
        return Picture(
            figure,
            f"Left: a brain slice warped by a random field of {strength:.0f} mm, smooth over "
            f"{smoothness:.0f} mm, with its grid. Right: the Jacobian determinant; "
            f"{folded:.1f} percent of the pixels fold.",
        )

    common = {
        "continuous_update": False,
        "style": {"description_width": "110px"},
        "layout": ipywidgets.Layout(width="480px"),
    }
    controls = {
        "strength": ipywidgets.FloatSlider(
            8, min=0, max=24, step=1, description="strength (mm)", **common
        ),
        "smoothness": ipywidgets.FloatSlider(
            18, min=7, max=40, step=1, description="smooth (mm)", **common
        ),
        "integrate": ipywidgets.Checkbox(False, description="follow the field"),
    }
    return Explorer(controls, draw)
