"""Magnetic resonance: images to k-space and back.

Pictures are complex64 (N, 1, H, W) in arbitrary units; k-space of K coils is complex64
(N, K, H, W) with frequency zero at (H // 2, W // 2); lines are columns: the readout runs along the
rows of the array, phase encoding along its last axis. Masks are float (N | 1, 1, H, W), one where
sampled (see `physics.kspace_masks`). Transforms are orthonormal: noise of standard deviation σ in
k-space is noise of σ in the picture.

The measurement is A = M·F·S (coil sensitivities, Fourier transform, mask), y = A·x + noise.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.errors import CourseError


def fft2c(image: Tensor) -> Tensor:
    """Centred orthonormal 2D Fourier transform of the last two axes.

    k(u, v) = 1/√(HW) · Σ x(r, c)·exp(−2πi·(u·(r − H/2)/H + v·(c − W/2)/W)), u and v counted from
    the centre too: the same as fftshift(fft2(ifftshift(x))). Even sizes replace both shifts by
    multiplying with a checkerboard of signs, the shift theorem at Nyquist, which moves no memory.
    """
    return _centred(torch.fft.fft2, image)


def ifft2c(kspace: Tensor) -> Tensor:
    """Inverse, and adjoint, of `fft2c`."""
    return _centred(torch.fft.ifft2, kspace)


def forward(image: Tensor, mask: Tensor, coils: Tensor | None = None) -> Tensor:
    """Samples k-space: y = M·F·S·x.

    Arguments:
        image: complex (N, 1, H, W).
        mask: (N | 1, 1, H, W), one where sampled.
        coils: complex (N | 1, K, H, W) sensitivities; None for one homogeneous coil.

    Returns complex (N, K, H, W), zero where not sampled.
    """
    return _centred(torch.fft.fft2, image if coils is None else coils * image, after=mask)


def adjoint(kspace: Tensor, mask: Tensor, coils: Tensor | None = None) -> Tensor:
    """Adjoint of `forward`, the zero-filled reconstruction: x = Sᴴ·F⁻¹·M·y, (N, 1, H, W).

    With coil maps whose squares sum to one it is the coil combination of least noise.
    """
    images = _centred(torch.fft.ifft2, kspace, before=mask)
    return images if coils is None else (coils.conj() * images).sum(1, keepdim=True)


def add_noise(
    kspace: Tensor,
    mask: Tensor,
    snr: float | Tensor,
    generator: torch.Generator,
    signal: float | Tensor = 1.0,
) -> Tensor:
    """Adds complex Gaussian noise to the sampled points.

    σ = signal / snr for the real and for the imaginary part alike, so a fully sampled one-coil
    picture has that σ in each part, and its magnitude Rice's distribution.

    Arguments:
        kspace: complex (N, K, H, W).
        mask: (N | 1, 1, H, W); unsampled points stay zero.
        snr: signal over σ (a ratio, not dB); one number or one per case (N,).
        generator: on the CPU, so that noise does not depend on the device.
        signal: magnitude in the picture that `snr` refers to; one number or one per case (N,).

    Raises CourseError when the SNR is not positive.
    """
    ratio = torch.as_tensor(snr, dtype=torch.float32)
    if not (ratio > 0).all():
        raise CourseError(f"The signal-to-noise ratio must be positive, got {snr}.")
    sigma = (torch.as_tensor(signal, dtype=torch.float32, device="cpu") / ratio.cpu()).view(
        -1, 1, 1, 1
    )
    noise = torch.complex(*torch.randn(2, *kspace.shape, generator=generator))
    return kspace + mask * (sigma * noise).to(kspace)


def replace_samples(
    estimate: Tensor, measured: Tensor, mask: Tensor, weight: float | Tensor | None = None
) -> Tensor:
    """Data consistency in k-space: sampled points go (back) to what was measured.

    k ← (k + λ·k₀) / (1 + λ) where sampled, k elsewhere; λ = None means ∞: k ← k₀, right when the
    data hold no noise.

    Arguments:
        estimate, measured: complex (N, K, H, W).
        mask: (N | 1, 1, H, W).
        weight: λ ≥ 0, trust in the data; may be a learnt tensor.

    Source: Schlemper et al. 2018, doi 10.1109/TMI.2017.2760978, eq. 7.
    """
    trust = mask if weight is None else mask * (weight / (1 + weight))
    return estimate + trust * (measured - estimate)


def data_consistency(
    image: Tensor,
    measured: Tensor,
    mask: Tensor,
    coils: Tensor | None = None,
    weight: float | Tensor | None = None,
) -> Tensor:
    """`replace_samples` for a picture (N, 1, H, W): to k-space, replace, and back.

    With one coil and λ = None the result agrees with the data exactly and a second application
    changes nothing. With several coils the combination Sᴴ mixes measured and estimated points, so
    it is one step of a projection.
    """
    every = torch.ones_like(mask)
    kspace = replace_samples(forward(image, every, coils), measured, mask, weight)
    return adjoint(kspace, every, coils)


def smooth_phase(
    size: tuple[int, int], count: int, generator: torch.Generator, strength: float = 1.0
) -> Tensor:
    """Random smooth phase maps in radians, (N, 1, H, W), as field inhomogeneity leaves them.

    A constant, uniform on the circle, plus a random mixture of the cosines of the three lowest
    frequencies along each axis, scaled to a root mean square of `strength` radians.
    Multiply a magnitude by it with `torch.polar(magnitude, phase)`.
    """
    modes = 3
    rows, columns = (
        torch.cos(math.pi * torch.arange(modes)[:, None] * (torch.arange(length) + 0.5) / length)
        for length in size
    )
    weight = torch.randn(count, modes, modes, generator=generator)
    weight[:, 0, 0] = 0
    ripple = torch.einsum("nab,ah,bw->nhw", weight, rows, columns)[:, None]
    ripple = strength * ripple / ripple.square().mean((-2, -1), keepdim=True).sqrt()
    return ripple + 2 * math.pi * torch.rand(count, 1, 1, 1, generator=generator)


def _centred(
    transform: Callable[..., Tensor],
    values: Tensor,
    before: Tensor | None = None,
    after: Tensor | None = None,
) -> Tensor:
    """The transform of `before` · values, times `after`, both centred. The factors are real."""
    height, width = values.shape[-2:]
    if height % 2 or width % 2:
        values = values if before is None else before * values
        values = torch.fft.ifftshift(values, dim=(-2, -1))
        values = torch.fft.fftshift(transform(values, norm="ortho"), dim=(-2, -1))
        return values if after is None else after * values
    signs = _checkerboard(height, width, values)
    # Both centres count from n/2: a global sign remains when exactly one n/2 is odd.
    total = signs if (height + width) % 4 == 0 else -signs
    # Masks are small beside pictures: they join the signs, so that each side is one product.
    turned = transform(values * (signs if before is None else signs * before), norm="ortho")
    return turned * (total if after is None else total * after)


def _checkerboard(height: int, width: int, like: Tensor) -> Tensor:
    """Real (height, width): +1 and −1 in turn, of the precision and on the device of `like`."""
    rows, columns = (like.real.new_ones(n) for n in (height, width))
    rows[1::2] = columns[1::2] = -1
    return rows[:, None] * columns
