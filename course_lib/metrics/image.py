"""How far a picture is from the truth, pixel by pixel: PSNR, SSIM, RMSE, NMSE.

All functions take `prediction` and `target` of shape (N, C, H, W) or (N, C, D, H, W) and return one
value per case, shape (N,), computed in one batch on whatever device the tensors lie on.

`region` limits the scoring to one box per case: integers of shape (N, 2·d), first the starts and
then the stops of every axis, so (top, left, bottom, right) in 2D; stops are excluded.

Nothing is hidden: a NaN in either picture gives NaN for that case alone.
"""

from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.errors import CourseError

SSIM_WINDOW = 11
SSIM_SIGMA = 1.5


def psnr(
    prediction: Tensor, target: Tensor, data_range: float | Tensor, region: Tensor | None = None
) -> Tensor:
    """Peak signal-to-noise ratio (`psnr`, dB, higher is better).

    10·log₁₀(R² / MSE). The data range R is never guessed: it is part of the result, so state it.

    Arguments:
        prediction, target: (N, C, *spatial), same unit; complex pictures are judged by magnitude.
        data_range: R, in the pictures' unit; one number or one per case (N,).
        region: optional boxes (N, 2·d), see the module.

    Returns (N,) dB; infinite where the two pictures are identical.

    Raises CourseError when shapes differ, the range is not positive, or a box is empty or outside.
    """
    prediction, target = _pair(prediction, target)
    error = _mean((prediction - target).square(), region)
    return 10 * torch.log10(_range(data_range, target).square() / error)


def rmse(
    prediction: Tensor,
    target: Tensor,
    window: tuple[float, float] | None = None,
    region: Tensor | None = None,
) -> Tensor:
    """Root mean square error (`rmse`, the pictures' unit: HU for CT, lower is better, ideal 0).

    √mean((p − t)²). With `window` both are first clipped to (low, high), as a reader's display
    would: (−160, 240) HU asks about soft tissue and forgives everything inside air and bone.

    Arguments:
        prediction, target: (N, C, *spatial); complex pictures are judged by magnitude.
        window: (low, high) in the pictures' unit, or None for all values.
        region: optional boxes (N, 2·d), see the module.

    Raises CourseError when shapes differ, the window is empty, or a box is empty or outside.
    """
    prediction, target = _pair(prediction, target)
    if window is not None:
        low, high = window
        if not low < high:
            raise CourseError(f"The window {window} is empty: give (low, high) with low < high.")
        prediction, target = prediction.clamp(low, high), target.clamp(low, high)
    return _mean((prediction - target).square(), region).sqrt()


def nmse(prediction: Tensor, target: Tensor, region: Tensor | None = None) -> Tensor:
    """Normalised mean square error (`nmse`, no unit, lower is better, ideal 0).

    ‖p − t‖² / ‖t‖². Complex pictures are compared as complex numbers, so a wrong phase counts;
    pass `.abs()` of both to judge magnitudes only, as fastMRI does
    (Zbontar et al. 2018, arXiv:1811.08839).

    Returns (N,); infinite where the target is zero and the prediction is not, NaN where both are
    zero.
    """
    _check(prediction, target)
    error = _mean((prediction - target).abs().square(), region)
    return error / _mean(target.abs().square(), region)


def ssim(
    prediction: Tensor, target: Tensor, data_range: float | Tensor, region: Tensor | None = None
) -> Tensor:
    """Structural similarity (`ssim`, no unit, higher is better, ideal 1).

    SSIM = (2·μₚ·μₜ + c₁)(2·σₚₜ + c₂) / ((μₚ² + μₜ² + c₁)(σₚ² + σₜ² + c₂)), the moments taken under
    a Gaussian window of 11 pixels and σ = 1.5, c₁ = (0.01·R)², c₂ = (0.03·R)², averaged over all
    windows that lie wholly inside the picture (or inside `region`: the same as scoring the crop).
    The luminance term depends on where zero lies: for CT, pass HU + 1024, or a clipped window
    minus its lower bound, so that values run from 0 to R.

    Arguments:
        prediction, target: (N, C, *spatial), at least 11 pixels along each axis; channels are
            averaged; complex pictures are judged by magnitude.
        data_range: R, in the pictures' unit; one number or one per case (N,).
        region: optional boxes (N, 2·d), at least 11 pixels along each axis.

    Raises CourseError when shapes differ, pictures or boxes are smaller than the window.

    Source: Wang et al. 2004, doi 10.1109/TIP.2003.819861.
    """
    prediction, target = _pair(prediction, target)
    batch, _, *size = target.shape
    if min(size) < SSIM_WINDOW:
        raise CourseError(
            f"SSIM needs at least {SSIM_WINDOW} pixels along each axis, these pictures have {size}."
        )
    scale = _range(data_range, target)
    if region is not None:
        # A window's value sits at its centre; the map starts half a window inside the picture.
        region = _boxes(region, batch, size).clone()
        region[:, len(size) :] -= SSIM_WINDOW - 1
        if (region[:, len(size) :] <= region[:, : len(size)]).any():
            raise CourseError(f"SSIM needs boxes of at least {SSIM_WINDOW} pixels along each axis.")
    # A CPU is three times as fast on pieces that fit its cache; a GPU wants everything at once.
    cases = max(1, 2**18 // target[0].numel()) if target.device.type == "cpu" else batch
    return torch.cat(
        [
            _mean(
                _similarity(prediction[i : i + cases], target[i : i + cases], scale[i : i + cases]),
                None if region is None else region[i : i + cases],
            )
            for i in range(0, batch, cases)
        ]
    )


def _similarity(prediction: Tensor, target: Tensor, data_range: Tensor) -> Tensor:
    """The SSIM map of (N, C, *spatial), shrunk by the window: ten pixels less along each axis."""
    batch, channels, *size = target.shape
    one_each = [1] * (target.ndim - 1)
    c1, c2 = ((k * data_range.view(-1, *one_each)).square() for k in (0.01, 0.03))
    # Variances as E[x²] − E[x]² lose their digits when the mean is large, as in HU: centre first.
    centre = target.flatten(1).mean(1).view(-1, *one_each)
    p, t = prediction - centre, target - centre
    maps = torch.stack([p, t, p * t, p.square() + t.square()])
    mean_p, mean_t, product, squares = _gaussian_valid(maps.flatten(0, 2)).view(
        4, batch, channels, *[length - SSIM_WINDOW + 1 for length in size]
    )
    covariance = product - mean_p * mean_t
    variances = squares - mean_p.square() - mean_t.square()
    mean_p, mean_t = mean_p + centre, mean_t + centre
    similarity = (2 * mean_p * mean_t + c1) * (2 * covariance + c2)
    return similarity / ((mean_p.square() + mean_t.square() + c1) * (variances + c2))


def _gaussian_valid(images: Tensor) -> Tensor:
    """Gaussian window means of (M, *spatial), kept only where the window fits.

    The images ride as depthwise channels of a one-image batch and the window is applied axis by
    axis: on a CPU five to twenty times as fast as convolving M one-channel images.
    """
    offset = torch.arange(SSIM_WINDOW, dtype=images.dtype, device=images.device) - SSIM_WINDOW // 2
    window = torch.exp(-offset.square() / (2 * SSIM_SIGMA**2))
    window = window / window.sum()
    for axis in range(1, images.ndim):
        before, after = images.shape[:axis], images.shape[axis + 1 :]
        # Two-dimensional channels with `axis` along the rows, or along the columns if it is last.
        shape = (prod(before), -1, prod(after)) if after else (before[0], -1, images.shape[-1])
        channels = images.reshape(1, *shape)
        kernel = window.view(1, 1, -1, 1) if after else window.view(1, 1, 1, -1)
        kernel = kernel.expand(channels.shape[1], -1, -1, -1)
        images = F.conv2d(channels, kernel, groups=len(kernel)).reshape(*before, -1, *after)
    return images


def _check(prediction: Tensor, target: Tensor) -> None:
    if prediction.shape != target.shape or target.ndim not in (4, 5):
        raise CourseError(
            f"Prediction {tuple(prediction.shape)} and target {tuple(target.shape)} must have the "
            "same shape (N, C, H, W) or (N, C, D, H, W)."
        )


def _pair(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    _check(prediction, target)
    if prediction.is_complex() or target.is_complex():
        return prediction.abs(), target.abs()
    return prediction, target


def _range(data_range: float | Tensor, target: Tensor) -> Tensor:
    value = torch.as_tensor(data_range, dtype=target.dtype, device=target.device)
    if not (value > 0).all():
        raise CourseError(f"The data range must be positive, got {data_range}.")
    return value.expand(len(target))


def _boxes(region: Tensor, batch: int, size: list[int]) -> Tensor:
    region = torch.as_tensor(region)
    limit = torch.tensor(size, device=region.device)
    starts, stops = region[..., : len(size)], region[..., len(size) :]
    if region.shape != (batch, 2 * len(size)) or region.is_floating_point():
        raise CourseError(f"Regions must be integers of shape {(batch, 2 * len(size))}.")
    if (starts < 0).any() or (stops > limit).any() or (stops <= starts).any():
        raise CourseError(f"A region is empty or leaves the picture of size {size}.")
    return region


def _mean(values: Tensor, region: Tensor | None) -> Tensor:
    """Mean of (N, C, *spatial) over everything, or over each case's box."""
    if region is None:
        return values.flatten(1).mean(1)
    region = _boxes(region, len(values), list(values.shape[2:]))
    dimensions = values.ndim - 2
    return torch.stack(
        [
            case[(slice(None), *map(slice, box[:dimensions], box[dimensions:]))].mean()
            for case, box in zip(values, region.tolist(), strict=True)
        ]
    )
