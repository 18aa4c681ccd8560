"""Losing resolution, and the plain ways to guess it back: degradations for super-resolution.

All work on (N, C, H, W) or (N, C, D, H, W) in any unit, keep a constant image constant, and keep
the field of view: pixel k of the small image covers pixels k·f … k·f + f − 1 of the large one.
Everything but the k-space functions is separable and linear, so it is written as one small matrix
per axis; its exact adjoint is then the transposed matrices, and its cost a matrix product.

The matrices are float64 NumPy arrays of shape (new length, old length), made once and kept.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from course_lib.errors import CourseError
from course_lib.physics.mr import fft2c, ifft2c

Matrices = Mapping[int, np.ndarray]


def apply(image: Tensor, matrices: Matrices) -> Tensor:
    """Multiplies axes by matrices: `matrices[axis]` is (new length, old length).

    Differentiable; float32 inside. The adjoint is `apply(image, transposed(matrices))`.

    Raises CourseError when a matrix does not fit its axis.
    """
    for axis, matrix in matrices.items():
        if image.shape[axis] != matrix.shape[1]:
            raise CourseError(
                f"Axis {axis} of the image has {image.shape[axis]} pixels, "
                f"the operator was made for {matrix.shape[1]}."
            )
        operator = torch.tensor(matrix, dtype=image.dtype, device=image.device)
        image = (image.movedim(axis, -1) @ operator.T).movedim(-1, axis)
    return image


def transposed(matrices: Matrices) -> Matrices:
    """The adjoint of `apply(·, matrices)`."""
    return {axis: matrix.T for axis, matrix in matrices.items()}


@lru_cache(maxsize=64)
def bicubic(length: int, factor: int) -> np.ndarray:
    """Bicubic downsampling of one axis with antialiasing.

    Keys' cubic kernel with a = −1/2, widened by the factor and renormalised at the borders: the
    same as `torch.nn.functional.interpolate(mode="bicubic", antialias=True)` and as Pillow, and
    the operator behind most published super-resolution figures.

    Source: Keys 1981, doi 10.1109/TASSP.1981.1163711.
    """
    distance = np.abs(_centres(length, factor)[:, None] - np.arange(length)) / factor
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    return _normalised(np.where(distance < 1, near, np.where(distance < 2, far, 0.0)))


@lru_cache(maxsize=64)
def gaussian(length: int, factor: int, fwhm: float) -> np.ndarray:
    """Gaussian blur and decimation of one axis: a detector's or scanner's point spread, or the
    profile of a slice-selective pulse.

    A wave of f cycles per large pixel is attenuated by exp(−2·(π·σ·f)²), σ = fwhm / 2.355.

    Arguments:
        length: pixels before.
        factor: pixels of the large image per pixel of the small one.
        fwhm: full width at half maximum in pixels of the large image.
    """
    sigma = fwhm / np.sqrt(8 * np.log(2))
    distance = _centres(length, factor)[:, None] - np.arange(length)
    return _normalised(np.exp(-(distance**2) / (2 * sigma**2)))


@lru_cache(maxsize=64)
def boxcar(length: int, factor: int, thickness: float) -> np.ndarray:
    """Mean over a box and decimation of one axis: a thick CT slice, or pixel binning.

    A wave of f cycles per large pixel is attenuated by sin(π·t·f) / (t·sin(π·f)) for whole t
    (about sinc(t·f)).

    Arguments:
        length: pixels before.
        factor: distance between slices in pixels of the large image.
        thickness: t, width of the box in the same pixels; pixels cut by its edge count in part.
            Larger than `factor`: slices overlap; smaller: gaps.
    """
    centre = _centres(length, factor)[:, None]
    pixel = np.arange(length)
    upper = np.minimum(centre + thickness / 2, pixel + 0.5)
    lower = np.maximum(centre - thickness / 2, pixel - 0.5)
    return _normalised(np.clip(upper - lower, 0, None))


def truncate_kspace(image: Tensor, factor: int) -> Tensor:
    """Keeps the middle 1/factor of k-space along H and W: how MR acquires fewer pixels.

    Sharp edges ring (Gibbs). Real images stay real up to the discarded frequency at −Nyquist. As
    with every discrete Fourier transform, small pixel j lies at pixel factor·j, half a small pixel
    from the middle of the pixels it stands for: `physics.degradation.kspace` moves it there.

    Arguments:
        image: (N, 1, H, W), real or complex, sides divisible by 2·factor.

    Returns (N, 1, H/factor, W/factor), in the same unit: the mean is kept.
    """
    kspace = fft2c(image)
    for axis in (-2, -1):
        length = image.shape[axis]
        _centres(length, factor)
        small = length // factor
        kspace = kspace.narrow(axis, length // 2 - small // 2, small)
    small = ifft2c(kspace) / factor
    return small if image.is_complex() else small.real


def enlarge(image: Tensor, factors: tuple[int, ...], order: str = "cubic spline") -> Tensor:
    """Enlarges each spatial axis by its factor, by interpolation: the baseline to beat.

    Arguments:
        image: (N, C, *spatial), real.
        factors: one whole number per spatial axis, 1 to leave it: (4, 1, 1) for thick slices.
        order: 'bicubic' (2D, Keys' kernel with a = −3/4 as in torch), 'linear', or 'cubic spline'
            (passes through all samples and is a little sharper).

    Raises CourseError for an unknown order, bicubic in 3D, or one factor missing.
    """
    if len(factors) != image.ndim - 2:
        raise CourseError(f"{image.ndim - 2} factors are needed, got {factors}.")
    size = [length * factor for length, factor in zip(image.shape[2:], factors, strict=True)]
    if order == "bicubic" and image.ndim == 4:
        return F.interpolate(image, size, mode="bicubic", align_corners=False)
    if order == "linear":
        mode = "bilinear" if image.ndim == 4 else "trilinear"
        return F.interpolate(image, size, mode=mode, align_corners=False)
    if order != "cubic spline":
        raise CourseError(f"Cannot enlarge {image.ndim - 2}D images by '{order}'.")
    lengths = zip(range(2, image.ndim), image.shape[2:], factors, strict=True)
    return apply(image, {axis: cubic_spline(n, f) for axis, n, f in lengths if f > 1})


@lru_cache(maxsize=64)
def cubic_spline(length: int, factor: int) -> np.ndarray:
    """Interpolation of one axis by a cubic B-spline through all samples, as scipy.ndimage does it
    (mode 'nearest'): what it does to unit vectors are the columns of the matrix.

    Source: Unser 1999, doi 10.1109/79.799930.
    """
    matrix = ndimage.affine_transform(
        np.eye(length),
        matrix=[1 / factor, 1],
        offset=[0.5 / factor - 0.5, 0],
        output_shape=(length * factor, length),
        order=3,
        mode="nearest",
    )
    return _normalised(matrix)


def _centres(length: int, factor: int) -> np.ndarray:
    """Where the centres of the small pixels lie, in pixels of the large axis."""
    if factor < 1 or length % factor:
        raise CourseError(
            f"An axis of {length} pixels cannot be divided by {factor}: crop it to a multiple."
        )
    return (np.arange(length // factor) + 0.5) * factor - 0.5


def _normalised(weights: np.ndarray) -> np.ndarray:
    """Rows that sum to one: a constant stays constant, also at the borders."""
    matrix = weights / weights.sum(1, keepdims=True)
    matrix.flags.writeable = False  # it is cached
    return matrix
