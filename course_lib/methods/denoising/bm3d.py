"""BM3D: blocks that look alike are stacked and shrunk together in a 3D transform.

Two passes, hard thresholding and then Wiener filtering with the first pass as pilot. Dabov, Foi,
Katkovnik & Egiazarian 2007, IEEE TIP 16(8), doi 10.1109/TIP.2007.901238; correlated noise:
Mäkinen, Azzari & Foi 2020, doi 10.1109/TIP.2020.3014721. The authors' package (free for research
and education, not for commercial use).

The noise of filtered back-projection is not white: the ramp filter makes its power spectrum rise
with frequency. BM3D is told so (`spectrum="ramp"`), which makes it a stronger baseline than the
white model that papers often compare with; validation chooses.
"""

from types import ModuleType
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from course_lib.cases import Batch
from course_lib.methods.base import Classical

MARGIN = 16


class BM3D(Classical):
    """(N, 1, H, W) HU → the same shape.

    `sigma_hu`: noise standard deviation; `spectrum`: `white` or `ramp`. Where the batch names a
    scored `region`, only that rectangle and a margin are filtered: it takes seconds per slice.
    """

    sigma_hu: float = 80.0
    spectrum: str = "ramp"
    grid: ClassVar = (
        {"sigma_hu": 80.0, "spectrum": "white"},
        {"sigma_hu": 80.0, "spectrum": "ramp"},
        {"sigma_hu": 110.0, "spectrum": "ramp"},
        {"sigma_hu": 150.0, "spectrum": "ramp"},
    )

    def predict(self, batch: Batch) -> Tensor:
        """The filtered scan."""
        bm3d = package()
        output = batch["low_dose"].clone()
        height, width = output.shape[-2:]
        whole = torch.tensor([[0, 0, height, width]]).expand(len(output), 4)
        for image, (top, left, bottom, right) in zip(
            output[:, 0], batch.get("region", whole).tolist(), strict=True
        ):
            part = image[
                max(top - MARGIN, 0) : bottom + MARGIN, max(left - MARGIN, 0) : right + MARGIN
            ]
            noisy = part.double().cpu().numpy()
            filtered = bm3d.bm3d(noisy, power_spectrum(noisy.shape, self.sigma_hu, self.spectrum))
            part.copy_(torch.from_numpy(filtered))
        return output


def package() -> ModuleType:
    """The authors' package. It calls np.trapz, which numpy 2.4 has under its other name only."""
    vars(np).setdefault("trapz", np.trapezoid)
    import bm3d

    return bm3d


def power_spectrum(shape: tuple[int, int], sigma_hu: float, spectrum: str) -> np.ndarray:
    """The noise power |FFT|² that BM3D expects, (H, W) HU², with variance sigma² in the image:
    the mean over frequencies is H·W·sigma² (Parseval)."""
    rows, columns = (np.fft.fftfreq(length) for length in shape)
    frequency = np.hypot(rows[:, None], columns[None])
    power = np.ones(shape) if spectrum == "white" else np.maximum(frequency, 0.02)
    return power / power.mean() * sigma_hu**2 * power.size
