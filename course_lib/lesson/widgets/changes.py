"""The augmentation knobs: how far a patch may be changed before it is another case."""

import torch
from torch import Tensor

from course_lib.lesson.live import Explorer
from course_lib.lesson.picture import PIXELS, Picture, canvas
from course_lib.parts.augment import Change

SHOWN = 6


def changed(patches: Tensor, turn: float, shift: float, scale: float, noise: float) -> Tensor:
    """Random changes of the first patch, then of the second, …: (n, 1, H, W) HU →
    (n, SHOWN, H, W), the first of each row unchanged."""
    change = Change(turn > 0, turn, shift, scale, 0.0, noise)
    copies = patches.repeat_interleave(SHOWN - 1, 0)
    result = change(copies, torch.Generator().manual_seed(0))
    return torch.cat([patches, result.unflatten(0, (-1, SHOWN - 1))[:, :, 0]], 1)


def changes_explorer(patches: Tensor, names: tuple[str, ...], pixel_mm: float) -> Explorer:
    """Sliders for the classic changes, over real patches.

    Arguments:
        patches: HU, (n, 1, H, W); one row of pictures each.
        names: what each row shows.
        pixel_mm: side of a pixel.
    """
    import ipywidgets

    side = patches.shape[-1] * pixel_mm
    figure, axes = canvas(SHOWN, rows=len(patches), width=10.0, height=1.9 * len(patches))
    shown = [
        axis.imshow(patches[k // SHOWN, 0], **PIXELS, cmap="gray", vmin=-1000, vmax=400)
        for k, axis in enumerate(axes)
    ]
    for k, axis in enumerate(axes):
        axis.set(xticks=[], yticks=[])
        if k % SHOWN == 0:
            axis.set_ylabel(names[k // SHOWN])
    figure.colorbar(shown[0], ax=axes, label="HU", extend="both", shrink=0.8)

    def draw(turn: float, shift: float, scale: float, noise: float) -> Picture:
        values = changed(patches, turn, shift, scale, noise).flatten(0, 1)
        for picture, each in zip(shown, values, strict=True):
            picture.set_data(each)
        largest = 10 * (1 + scale)
        figure.suptitle(f"Left as it was; beside it, a 10 mm nodule may become {largest:.0f} mm")
        return Picture(
            figure,
            f"Patches {side:.0f} mm wide of {' and '.join(names)} nodules and {SHOWN - 1} random "
            f"copies of each: turned by up to {turn:.0f} degrees, shifted by up to {shift:.0f} "
            f"pixels, scaled by up to {100 * scale:.0f} percent, with {noise:.0f} HU of noise.",
        )

    common = {"continuous_update": False, "style": {"description_width": "110px"}}
    controls = {
        "turn": ipywidgets.FloatSlider(0, min=0, max=180, step=15, description="turn °", **common),
        "shift": ipywidgets.FloatSlider(0, min=0, max=12, step=1, description="shift px", **common),
        "scale": ipywidgets.FloatSlider(
            0, min=0, max=0.8, step=0.1, description="scale", readout_format=".0%", **common
        ),
        "noise": ipywidgets.FloatSlider(
            0, min=0, max=400, step=20, description="noise HU", **common
        ),
    }
    return Explorer(controls, draw)
