"""A volume to leaf through, with the display windows that radiologists use."""

import numpy as np

from course_lib.lesson.live import Explorer
from course_lib.lesson.picture import PIXELS, Picture, canvas

# name → (centre, width) in HU
PRESETS = {"soft tissue": (40, 400), "lung": (-600, 1500), "bone": (500, 2000)}


def slice_explorer(
    image: np.ndarray, spacing_mm: tuple[float, float, float], title: str
) -> Explorer:
    """Sliders for slice, window centre and window width over a CT volume.

    Arguments:
        image: HU, shape (z, y, x), z upwards, row 0 at the patient's front.
        spacing_mm: (dz, dy, dx).
        title: stands above the picture; say who was measured.
    """
    import ipywidgets

    last = len(image) - 1
    row_mm, column_mm = spacing_mm[1:]
    extent = (0, image.shape[2] * column_mm, image.shape[1] * row_mm, 0)

    # Made once: moving a slider only puts new numbers into the same picture.
    figure, (axis,) = canvas(width=6.0, height=5.6)
    shown = axis.imshow(image[0], **PIXELS, cmap="gray", extent=extent)
    axis.set(xlabel="mm (patient's right to left)", ylabel="mm (front to back)")
    figure.colorbar(shown, ax=axis, label="HU", extend="both", location="bottom", shrink=0.8)

    def draw(slice_number: int, window: str, centre: int, width: int) -> Picture:
        low, high = centre - width / 2, centre + width / 2
        shown.set_data(image[slice_number])
        shown.set_clim(low, high)
        axis.set_title(f"{title}, slice {slice_number}")
        return Picture(
            figure,
            f"{title}: axial CT slice {slice_number} of {last}, grey from {low:.0f} HU (black) "
            f"to {high:.0f} HU (white).",
        )

    wide = {"continuous_update": False, "style": {"description_width": "110px"}}
    wide["layout"] = ipywidgets.Layout(width="480px")
    first_centre, first_width = PRESETS["soft tissue"]
    controls = {
        "slice_number": ipywidgets.IntSlider(last // 2, 0, last, description="slice", **wide),
        "window": ipywidgets.Dropdown(
            options=list(PRESETS), description="window", style=wide["style"], layout=wide["layout"]
        ),
        "centre": ipywidgets.IntSlider(
            first_centre, -1000, 1500, description="centre (HU)", **wide
        ),
        "width": ipywidgets.IntSlider(first_width, 50, 3000, description="width (HU)", **wide),
    }

    def preset(change: dict) -> None:
        controls["centre"].value, controls["width"].value = PRESETS[change["new"]]

    controls["window"].observe(preset, names="value")
    return Explorer(controls, draw)
