"""The sampling knob: fewer views, a shorter arc, fewer photons, and the FBP image of each."""

import torch
from torch import Tensor

from course_lib.lesson.live import Explorer
from course_lib.lesson.picture import PIXELS, Picture, canvas
from course_lib.physics import ct

VIEWS = 180
EVERY = (1, 2, 3, 6, 12, 18)
ARCS = (60, 90, 120, 150, 180)


class ViewScan:
    """One slice under the scanner: everything that does not change with the knobs, made once.

    Arguments:
        image: HU, shape (size, size).
        pixel_mm: side of a pixel.
    """

    def __init__(self, image: Tensor, pixel_mm: float) -> None:
        size = image.shape[-1]
        self.image = image.reshape(1, 1, size, size)
        self.beam = ct.ParallelBeam(size, VIEWS, pixel_mm)
        self.clean = self.beam.forward(ct.hu_to_attenuation(self.image))

    def __call__(self, every: int, arc: int, photons: float) -> tuple[Tensor, Tensor, float]:
        """(FBP image in HU (size, size), sinogram (views, detectors) with nan where nothing was
        measured, root mean square error in HU inside the body).

        Every `every`-th of 180 views is taken, up to `arc` degrees.
        """
        generator = torch.Generator().manual_seed(0)
        noisy = ct.low_dose_sinogram(self.clean, photons, generator=generator)
        taken = torch.zeros(VIEWS, dtype=torch.bool)
        taken[: arc * VIEWS // 180 : every] = True
        # Back-projection adds views up: one that is missing is zero, the others count for it.
        image = ct.attenuation_to_hu(self.beam.fbp(noisy * (every * taken)[:, None]))
        body = self.image > -900
        error = (image - self.image)[body].square().mean().sqrt().item()
        return image[0, 0], noisy[0, 0].masked_fill(~taken[:, None], torch.nan), error


def views_explorer(image: Tensor, pixel_mm: float, photons: float = 1e5) -> Explorer:
    """Sliders for number of views, arc and photons, over a real slice: FBP beside the sinogram.

    Arguments:
        image: HU, shape (size, size) or with leading axes of length 1; what is scanned.
        pixel_mm: side of a pixel.
        photons: where the slider stands at first, between 1e3 and 1e6 per ray.
    """
    import ipywidgets

    size = image.shape[-1]
    scan = ViewScan(image, pixel_mm)
    side, wide = size * pixel_mm, scan.beam.detectors * pixel_mm / 2

    # Made once: moving a slider only puts new numbers into the same pictures.
    figure, (left, right) = canvas(2, width=9.5, height=4.0)
    field = (0, side, side, 0)
    shown = left.imshow(scan.image[0, 0], **PIXELS, cmap="gray", vmin=-1000, vmax=400, extent=field)
    left.set(xlabel="mm", ylabel="mm")
    figure.colorbar(shown, ax=left, label="HU", extend="both")
    right.set_facecolor("#9ecae1")
    extent = (-wide, wide, 180, 0)
    rays = right.imshow(
        scan.clean[0, 0], **PIXELS, cmap="gray", aspect="auto", vmin=0, extent=extent
    )
    right.set(title="What was measured (blue: nothing)")
    right.set(xlabel="detector (mm)", ylabel="angle of the view (degrees)")
    figure.colorbar(rays, ax=right, label="line integral")

    def draw(every: int, arc: int, photons: float) -> Picture:
        reconstructed, sinogram, error = scan(every, arc, photons)
        views = int((~sinogram[:, 0].isnan()).sum())
        shown.set_data(reconstructed)
        rays.set_data(sinogram)
        left.set_title(f"{views} views over {arc}°: error {error:.0f} HU")
        return Picture(
            figure,
            f"Left: chest CT slice by filtered back-projection from {views} views over {arc} "
            f"degrees with {photons:,.0f} photons a ray; the root mean square error inside the "
            f"body is {error:.0f} HU. Right: the sinogram, blank where no view was taken.",
        )

    common = {
        "continuous_update": False,
        "style": {"description_width": "110px"},
        "layout": ipywidgets.Layout(width="480px"),
    }
    controls = {
        "every": ipywidgets.SelectionSlider(
            options=[(f"every {k}°", k) for k in reversed(EVERY)],
            value=1,
            description="a view",
            **common,
        ),
        "arc": ipywidgets.SelectionSlider(
            options=[(f"{arc}°", arc) for arc in ARCS], value=180, description="arc", **common
        ),
        "photons": ipywidgets.FloatLogSlider(
            photons,
            base=10,
            min=3,
            max=6,
            step=0.1,
            description="photons a ray",
            readout_format=",.0f",
            **common,
        ),
    }
    return Explorer(controls, draw)
