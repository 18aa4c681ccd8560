"""Whether the noise looks right and the edges are sharp: what PSNR does not see.

A network trained on the mean square error removes noise and leaves a plastic surface; readers
object although PSNR rose. The noise power spectrum of flat tissue measures that texture. Places to
look are chosen on the target alone, so no method can move them.

Boxes are integers (N, K, 4): top, left, bottom, right, with stops excluded. A missing box is all
zeros; a case without any box scores NaN.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.errors import CourseError

LIMIT_DB = 60.0  # a spectrum 10⁻⁶ of the target's is as good as nothing: distances end here


def noise_power_spectrum(patches: Tensor, pixel_mm: float | Tensor) -> tuple[Tensor, Tensor]:
    """Radially averaged noise power spectrum of flat regions.

    NPS(u, v) = (Δ² / n²) · ⟨|DFT(patch − fitted plane)|²⟩, averaged over the patches and over
    rings one frequency step 1/(n·Δ) wide, up to Nyquist. Its integral over the frequency plane is
    the noise variance; white noise of standard deviation σ gives σ²·Δ² at every frequency.

    Arguments:
        patches: (N, K, n, n) or (K, n, n), K regions of each case, in HU. Regions that hold a NaN
            are left out.
        pixel_mm: pixel size Δ in mm; one number or one per case (N,).

    Returns frequency (B,) or, with one pixel size per case, (N, B), in cycles/mm, and the spectrum
    (N, B) or (B,), in HU² mm²; B = n // 2 rings, the mean (frequency zero) left out.

    Raises CourseError when patches are not square or smaller than 8 pixels.

    Source: Siewerdsen, Cunningham & Jaffray 2002, doi 10.1118/1.1513158.
    """
    n = patches.shape[-1]
    if patches.ndim not in (3, 4) or patches.shape[-2] != n or n < 8:
        raise CourseError(f"Patches must be (N, K, n, n), n ≥ 8, but are {tuple(patches.shape)}.")
    power = torch.fft.fft2(_without_plane(patches)).abs().square().nanmean(dim=-3) / n**2
    step = torch.fft.fftfreq(n, 1 / n, device=patches.device)
    ring = torch.hypot(step[:, None], step).round().long().flatten()
    weight = F.one_hot(ring, int(ring.max()) + 1)[:, 1 : n // 2 + 1].to(power.dtype)
    pixel = torch.as_tensor(pixel_mm, dtype=power.dtype, device=power.device)
    spectrum = pixel[..., None].square() * (power.flatten(-2) @ (weight / weight.sum(0)))
    rings = torch.arange(1, n // 2 + 1, device=power.device)
    return rings / (n * pixel[..., None]), spectrum


def flat_rois(
    target: Tensor,
    size: int = 16,
    count: int = 8,
    value_range: tuple[float, float] = (-150.0, 200.0),
) -> Tensor:
    """The least structured soft-tissue squares of each target.

    Squares on a grid of size/4 pixels are ranked by the gradient energy of the low-pass filtered
    target (Gaussian, σ = 2 px: noise fades, anatomy stays) and taken greedily without overlap.
    Only squares whose low-pass values all lie in `value_range` count: air or bone would not.

    Arguments:
        target: (N, 1, H, W) in HU.
        size, count: side of the squares in pixels, how many per case.
        value_range: (low, high) in HU; the default keeps fat, muscle and organs. With squares of
            32 pixels of 1.4 mm many slices of a chest hold none; with 16 all held eight.

    Returns (N, count, 4) boxes; rows of zeros where a case has no further suitable square.

    Raises CourseError when the picture is smaller than the square.
    """
    if target.ndim != 4 or target.shape[1] != 1 or min(target.shape[-2:]) < size:
        raise CourseError(
            f"Targets must be (N, 1, H, W) with sides of at least {size} pixels, "
            f"not {tuple(target.shape)}."
        )
    smooth = _gaussian(target, 2.0)
    stride = max(1, size // 4)
    energy = F.avg_pool2d(_gradient(smooth).square().sum(1, keepdim=True), size, stride)[:, 0]
    highest, lowest = (s * F.max_pool2d(s * smooth, size, stride)[:, 0] for s in (1, -1))
    low, high = value_range
    # "not (inside)" instead of "outside": a NaN must not be chosen either.
    energy = energy.masked_fill(~((lowest >= low) & (highest <= high)), torch.inf)
    rows = torch.arange(energy.shape[1], device=target.device)[:, None]
    columns = torch.arange(energy.shape[2], device=target.device)
    boxes = []
    for _ in range(count):
        best, index = energy.flatten(1).min(1)
        row, column = index // energy.shape[2], index % energy.shape[2]
        corner = torch.stack([row, column], 1) * stride
        box = torch.cat([corner, corner + size], 1)
        boxes.append(box.where(best.isfinite()[:, None], torch.zeros_like(box)))
        near = ((rows - row.view(-1, 1, 1)).abs() * stride < size) & (
            (columns - column.view(-1, 1, 1)).abs() * stride < size
        )
        energy = energy.masked_fill(near, torch.inf)
    return torch.stack(boxes, 1)


def nps_distance(
    prediction: Tensor, target: Tensor, rois: Tensor, pixel_mm: float | Tensor = 1.0
) -> Tensor:
    """Noise texture distance (`nps_distance`, dB, lower is better, ideal 0).

    √mean_f [10·log₁₀(NPS_prediction(f) / NPS_target(f))]², over the rings of the spectrum. Noise
    halved everywhere gives 6 dB; noise smoothed away at high frequencies, the plastic look, gives
    tens of dB. Each spectrum is raised by 10⁻⁶ of the target's mean, so that a constant picture
    scores a finite distance near 60 dB.

    Arguments:
        prediction, target: (N, 1, H, W) in HU.
        rois: (N, K, 4) equal squares from `flat_rois(target)`.
        pixel_mm: pixel size; it scales both spectra alike and so cancels in the distance.

    Returns (N,) dB; NaN for a case without a square.
    """
    ours, theirs = (
        noise_power_spectrum(crop(picture, rois), pixel_mm)[1] for picture in (prediction, target)
    )
    floor = 10 ** (-LIMIT_DB / 10) * theirs.mean(-1, keepdim=True) + torch.finfo(theirs.dtype).tiny
    decibel = 10 * torch.log10((ours + floor) / (theirs + floor))
    return decibel.square().mean(-1).sqrt()


def crop(pictures: Tensor, rois: Tensor) -> Tensor:
    """The squares of (N, 1, H, W) as (N, K, n, n); a missing square is filled with NaN."""
    sides = (rois[..., 2:] - rois[..., :2]).flatten(0, 1).unique(dim=0)
    size = int(sides.max())
    if size == 0:  # no case has a square; 8 is the smallest the spectrum accepts
        return pictures.new_full((*rois.shape[:2], 8, 8), torch.nan)
    if not ((sides == size) | (sides == 0)).all():
        raise CourseError(f"Regions must be equal squares, these have sides {sides.tolist()}.")
    offset = torch.arange(size, device=pictures.device)
    rows = rois[..., 0, None, None] + offset[:, None]
    columns = rois[..., 1, None, None] + offset
    case = torch.arange(len(pictures), device=pictures.device).view(-1, 1, 1, 1)
    missing = rois[..., 2, None, None] == 0
    return pictures[:, 0][case, rows, columns].masked_fill(missing, torch.nan)


def edge_sharpness(prediction: Tensor, target: Tensor) -> Tensor:
    """Edge sharpness (`edge_sharpness`, no unit, closer to 1 is better; below 1 is blurred).

    Σ ∇p·∇t / Σ |∇t|² over the target's edges: the 5% of pixels with its steepest gradient. The
    projection on the target's direction keeps noise from counting as sharpness.

    Arguments:
        prediction, target: (N, 1, H, W), same unit.

    Returns (N,); NaN where the target is constant.
    """
    ours, theirs, edge = _edge_gradients(prediction, target)
    return (ours * theirs * edge).flatten(1).sum(1) / (theirs.square() * edge).flatten(1).sum(1)


def edge_distance(prediction: Tensor, target: Tensor) -> Tensor:
    """Edge distance (`edge_distance`, no unit, lower is better, ideal 0).

    √(Σ |∇p − ∇t|² / Σ |∇t|²) over the target's edges (see `edge_sharpness`): 1 means that the
    edges are gone; wrong position, wrong height, blur and ringing all count.
    """
    ours, theirs, edge = _edge_gradients(prediction, target)
    error = ((ours - theirs).square() * edge).flatten(1).sum(1)
    return (error / (theirs.square() * edge).flatten(1).sum(1)).sqrt()


def _edge_gradients(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    if prediction.shape != target.shape or target.ndim != 4 or target.shape[1] != 1:
        raise CourseError(
            f"Prediction {tuple(prediction.shape)} and target {tuple(target.shape)} must both be "
            "(N, 1, H, W)."
        )
    ours, theirs = (_gradient(_gaussian(picture, 1.0)) for picture in (prediction, target))
    steepness = theirs.square().sum(1, keepdim=True)
    rank = int(0.95 * steepness[0].numel())
    edge = steepness > steepness.flatten(1).kthvalue(rank).values.view(-1, 1, 1, 1)
    return ours, theirs, edge


def _without_plane(patches: Tensor) -> Tensor:
    """Patches minus their least-squares plane: shading within a region is not noise."""
    n = patches.shape[-1]
    ramp = torch.arange(n, dtype=patches.dtype, device=patches.device) - (n - 1) / 2
    ramp = ramp / ramp.norm() / n**0.5
    patches = patches - patches.mean((-2, -1), keepdim=True)
    for plane in (ramp[:, None].expand(n, n), ramp.expand(n, n)):
        patches = patches - (patches * plane).sum((-2, -1), keepdim=True) * plane
    return patches


def _gaussian(pictures: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of (N, 1, H, W), edges replicated."""
    radius = int(4 * sigma + 0.5)
    offset = torch.arange(-radius, radius + 1, dtype=pictures.dtype, device=pictures.device)
    window = torch.exp(-offset.square() / (2 * sigma**2))
    window = window / window.sum()
    padded = F.pad(pictures, (radius,) * 4, mode="replicate").transpose(0, 1)
    for kernel in (window.view(1, 1, -1, 1), window.view(1, 1, 1, -1)):
        # Cases as depthwise channels: see metrics.image.
        padded = F.conv2d(
            padded, kernel.expand(padded.shape[1], -1, -1, -1), groups=padded.shape[1]
        )
    return padded.transpose(0, 1)


def _gradient(pictures: Tensor) -> Tensor:
    """Central differences of (N, 1, H, W) per pixel as (N, 2, H, W), row direction first."""
    return torch.cat(torch.gradient(pictures, dim=(2, 3)), 1)
