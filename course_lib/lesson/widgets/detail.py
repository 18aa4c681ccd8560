"""The detail knob: fewer pixels, lost in another way, and what interpolation cannot bring back."""

from torch import Tensor

from course_lib.lesson.live import Explorer
from course_lib.lesson.picture import PIXELS, Picture, canvas
from course_lib.metrics.image import psnr
from course_lib.physics.degradation import degrade
from course_lib.physics.resolution import enlarge

KINDS = {"bicubic": "bicubic", "blur + decimate": "blur", "k-space truncation": "kspace"}
FACTORS = (2, 3, 4, 6)
RANGE_HU = 2000.0


def lost_detail(image: Tensor, factor: int, kind: str) -> tuple[Tensor, Tensor]:
    """(coarse pixels, cubic spline interpolation) of a slice (H, W), both on the fine grid, HU."""
    low = degrade(image.view(1, 1, 1, *image.shape), kind, (1, factor, factor))[:, :, 0]
    fine = enlarge(low, (factor, factor))
    blocks = low.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    return blocks[0, 0], fine[0, 0]


def detail_explorer(image: Tensor, pixel_mm: float, factor: int = 3) -> Explorer:
    """Controls for the factor and for how detail is lost, over a real slice.

    Arguments:
        image: HU, shape (H, W), sides that all factors (2, 3, 4, 6) divide.
        pixel_mm: side of a pixel.
        factor: where the slider stands at first.
    """
    import ipywidgets

    height, width = image.shape
    extent = (0, width * pixel_mm, height * pixel_mm, 0)
    options = {"extent": extent, "vmin": -1000, "vmax": 400, "cmap": "gray"}

    # Made once: moving a slider only puts new numbers into the same pictures.
    figure, axes = canvas(3, width=11.0, height=3.6)
    shown = [axis.imshow(image, **PIXELS, **options) for axis in axes[:2]]
    figure.colorbar(shown[1], ax=axes[:2], label="HU", extend="both", shrink=0.8)
    error = axes[2].imshow(image * 0, **PIXELS, cmap="PuOr", vmin=-300, vmax=300, extent=extent)
    figure.colorbar(error, ax=axes[2], label="HU", extend="both", shrink=0.8)
    for axis in axes:
        axis.set_xlabel("mm")

    def draw(factor: int, kind: str) -> Picture:
        blocks, fine = lost_detail(image, factor, KINDS[kind])
        decibel = psnr(fine[None, None], image[None, None], RANGE_HU).item()
        for picture, values in zip((*shown, error), (blocks, fine, fine - image), strict=True):
            picture.set_data(values)
        axes[0].set_title(f"{kind}: pixels of {factor * pixel_mm:.1f} mm")
        axes[1].set_title(f"interpolated: {decibel:.1f} dB")
        axes[2].set_title("interpolated minus truth")
        return Picture(
            figure,
            f"Left: a CT slice after {kind} by {factor}, with pixels of {factor * pixel_mm:.1f} "
            f"mm. Middle: its cubic spline interpolation, {decibel:.1f} dB from the truth. Right: "
            "the error, largest at edges and vessels.",
        )

    style = {"description_width": "110px"}
    controls = {
        "factor": ipywidgets.SelectionSlider(
            options=FACTORS,
            value=factor,
            description="factor",
            continuous_update=False,
            style=style,
        ),
        "kind": ipywidgets.Dropdown(options=list(KINDS), description="lost by", style=style),
    }
    return Explorer(controls, draw)
