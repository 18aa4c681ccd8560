"""The dose knob: fewer photons, fewer views, another filter, and what each does to a real slice."""

import torch
from torch import Tensor

from course_lib.lesson.live import Explorer
from course_lib.lesson.picture import BLUE, ORANGE, PIXELS, Picture, canvas
from course_lib.physics import ct

VIEWS, ROI_MM = 180, 30.0


class DoseScan:
    """One slice under the scanner: everything that does not change with the knobs, made once.

    Arguments:
        image: HU, shape (size, size).
        pixel_mm: side of a pixel.
    """

    def __init__(self, image: Tensor, pixel_mm: float) -> None:
        self.pixel_mm, size = pixel_mm, image.shape[-1]
        self.beam = ct.ParallelBeam(size, VIEWS, pixel_mm)
        self.clean = self.beam.forward(ct.hu_to_attenuation(image.reshape(1, 1, size, size)))
        half = round(ROI_MM / pixel_mm / 2)
        self.roi = slice(size // 2 - half, size // 2 + half)

    def __call__(self, photons: float, every: int, window: str) -> tuple[Tensor, Tensor, float]:
        """(image in HU (size, size), noisy line integrals (views, detectors), noise in HU).

        The noise is the standard deviation, in a square at the centre, of the difference from the
        same scan without noise: what the anatomy contributes cancels. `every`-th view is used.
        """
        generator = torch.Generator().manual_seed(0)
        noisy = ct.low_dose_sinogram(self.clean, photons, generator=generator)
        # Back-projection adds views up: an unused view is zero, the others count for its share.
        # One projector then serves any number of views.
        used = torch.zeros(VIEWS, 1)
        used[::every] = every
        image = self.beam.fbp(torch.cat([noisy, noisy - self.clean]) * used, window=window)
        slope = ct.attenuation_to_hu(image[1]) - ct.attenuation_to_hu(torch.zeros(1))
        noise = slope[0, self.roi, self.roi].std().item()
        return ct.attenuation_to_hu(image[0, 0]), noisy[0, 0], noise


def dose_explorer(image: Tensor, pixel_mm: float, photons: float = 3e4) -> Explorer:
    """Sliders for photons per ray, number of views and reconstruction filter, over a real slice.

    Arguments:
        image: HU, shape (size, size) or with leading axes of length 1; what is scanned.
        pixel_mm: side of a pixel.
        photons: where the slider stands at first, between 1e3 and 1e6 per ray.
    """
    import ipywidgets
    from matplotlib.patches import Rectangle

    size = image.shape[-1]
    image = image.reshape(size, size)
    scan = DoseScan(image, pixel_mm)
    row, extent = VIEWS // 2, (0, size * pixel_mm, size * pixel_mm, 0)
    detector = (torch.arange(scan.beam.detectors) - (scan.beam.detectors - 1) / 2) * pixel_mm

    # Made once: moving a slider only puts new numbers into the same lines.
    figure, (left, right) = canvas(2, width=9.5, height=4.0)
    shown = left.imshow(image, **PIXELS, cmap="gray", vmin=-600, vmax=400, extent=extent)
    low, side = scan.roi.start * pixel_mm, (scan.roi.stop - scan.roi.start) * pixel_mm
    left.add_patch(Rectangle((low, low), side, side, fill=False, edgecolor=ORANGE, linewidth=1.5))
    left.set(xlabel="mm", ylabel="mm")
    figure.colorbar(shown, ax=left, label="HU", extend="both")
    clean = scan.clean[0, 0, row]
    right.plot(detector, clean, color=BLUE, linewidth=1.5, label="without noise")
    (line,) = right.plot(detector, clean, color=ORANGE, linewidth=0.7, label="with noise")
    right.set(title="One row of the sinogram, seen from the side", xlabel="detector (mm)")
    right.set(ylabel="line integral", ylim=(-0.5, clean.max().item() * 1.6))
    right.legend(loc="upper left", frameon=False)

    def draw(photons: float, every: int, window: str) -> Picture:
        reconstructed, noisy, noise = scan(photons, every, window)
        views = VIEWS // every
        shown.set_data(reconstructed)
        line.set_ydata(noisy[row])
        left.set_title(f"{photons:,.0f} photons a ray, {views} views: noise {noise:.0f} HU")
        return Picture(
            figure,
            f"Left: chest CT slice reconstructed from a simulated scan with {photons:,.0f} photons "
            f"a ray and {views} views, filter {window}; the noise in the marked square is "
            f"{noise:.0f} HU. Right: one row of its sinogram with and without noise.",
        )

    style = {"description_width": "110px"}
    layout = ipywidgets.Layout(width="480px")
    common = {"style": style, "layout": layout}
    controls = {
        "photons": ipywidgets.FloatLogSlider(
            photons,
            base=10,
            min=3,
            max=6,
            step=0.1,
            description="photons a ray",
            readout_format=",.0f",
            continuous_update=False,
            **common,
        ),
        "every": ipywidgets.SelectionSlider(
            options=[(str(VIEWS // k), k) for k in (12, 6, 4, 3, 2, 1)],
            value=1,
            description="views",
            continuous_update=False,
            **common,
        ),
        "window": ipywidgets.Dropdown(options=list(ct.WINDOWS), description="filter", **common),
    }
    return Explorer(controls, draw)
