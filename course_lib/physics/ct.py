"""Physics of computed tomography: attenuation, parallel-beam projection, photon noise, FBP.

A scan is a chain, and each arrow is one function of this file:

    HU ──hu_to_attenuation──▶ 1/mm ──ParallelBeam──▶ line integrals ──counts──▶ photons
    HU ◀─attenuation_to_hu─── 1/mm ◀─ParallelBeam.fbp── line integrals ◀─line_integrals──┘

Units: attenuation in 1/mm, lengths in mm, angles in degrees; line integrals have no unit.
Randomness: pass a CPU `torch.Generator`; draws are made on the CPU and moved to the data's device,
so the same seed gives the same noise everywhere.
"""

import math
from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from course_lib.errors import CourseError
from course_lib.physics.system_matrix import SystemMatrix, system_matrix

MU_WATER = 0.0192
"""Attenuation of water in 1/mm at about 70 keV, the mean energy of a 120 kV scan."""

WINDOWS: dict[str, Callable[[Tensor], Tensor]] = {
    "ram-lak": torch.ones_like,
    "shepp-logan": torch.sinc,
    "cosine": lambda f: torch.cos(math.pi * f),
    "hamming": lambda f: 0.54 + 0.46 * torch.cos(2 * math.pi * f),
    "hann": lambda f: 0.5 + 0.5 * torch.cos(2 * math.pi * f),
}
"""What `ParallelBeam.fbp` multiplies the ramp with; f in cycles per detector, 0 to 0.5."""


def hu_to_attenuation(hu: Tensor, mu_water: float = MU_WATER) -> Tensor:
    """Linear attenuation coefficient in 1/mm: mu = mu_water (1 + HU / 1000).

    Any shape. Nothing is clipped: below -1000 HU (padding) it is negative, so clip first.

    >>> hu_to_attenuation(torch.tensor([-1000.0, 0.0, 1000.0]))
    tensor([0.0000, 0.0192, 0.0384])
    """
    return mu_water * (1 + hu / 1000)


def attenuation_to_hu(attenuation: Tensor, mu_water: float = MU_WATER) -> Tensor:
    """Hounsfield units from 1/mm: HU = 1000 (mu / mu_water - 1), `hu_to_attenuation` inverted."""
    return 1000 * (attenuation / mu_water - 1)


def angles(views: int = 180, arc_degrees: float = 180.0, every: int = 1) -> Tensor:
    """View angles in degrees: `views` of them, evenly over [0, `arc_degrees`), float64 `(views,)`.

    A limited-angle scan has a short arc; a sparse one keeps only each `every`-th view.

    >>> angles(6, every=2)
    tensor([  0.,  60., 120.], dtype=torch.float64)
    >>> angles(3, arc_degrees=90)
    tensor([ 0., 30., 60.], dtype=torch.float64)
    """
    return torch.arange(0, views, every, dtype=torch.float64) * arc_degrees / views


class ParallelBeam:
    """Parallel-beam projector of square images, with its exact adjoint and FBP.

    p(θ, s) = ∫ mu(s cos θ - t sin θ, s sin θ + t cos θ) dt, with x to the right (column), y up
    (against the row) and the origin in the middle of the image. View θ = 0 sums the columns.
    scikit-image's `radon` has the same direction, but turns about pixel `size // 2` and returns
    (detectors, views): they agree for odd sizes.

    Joseph's method: a ray visits each row once and interpolates linearly between two columns. The
    weights lie in a sparse matrix and its transpose, each with 8 bytes per weight and 1.8 weights
    per pixel and view; `fbp` has a second pair with 2 weights. Views that mirror or quarter-turn
    each other share weights, so 180 views of 256 x 256 take 86 MB, and 97 MB more for `fbp`;
    angles without such symmetry take four times that. Equal geometries share their matrices.

    Arguments:
        size: pixels along a side of the image.
        angles: how many views, evenly over 180 degrees; or their angles in degrees, `(views,)`.
        pixel_mm: side of a pixel, and distance between detectors, in mm.
        detectors: default: the fewest that see the corners and have a ray through pixel centres.
        device: where the products run. Images from elsewhere are moved there and back. Apple's
            MPS has no sparse products: the CPU does them.

    Raises CourseError for an impossible geometry, and for images or sinograms that do not fit it.

    Source: Joseph 1982, doi 10.1109/TMI.1982.4307572.

    >>> beam = ParallelBeam(size=64, angles=90, pixel_mm=0.7)
    >>> beam(torch.zeros(2, 1, 64, 64)).shape
    torch.Size([2, 1, 90, 92])
    """

    def __init__(
        self,
        size: int,
        angles: int | Tensor,
        pixel_mm: float = 1.0,
        detectors: int | None = None,
        device: str | torch.device = "cpu",
    ):
        self.size, self.pixel_mm = size, float(pixel_mm)
        self.angles = _as_degrees(angles)
        diagonal = math.ceil(math.sqrt(2) * size)
        self.detectors = detectors or diagonal + (diagonal - size) % 2
        if size < 1 or self.pixel_mm <= 0 or len(self.angles) == 0 or self.detectors < 1:
            raise CourseError(
                f"No scanner has size={size}, {len(self.angles)} views, pixel_mm={pixel_mm}, "
                f"detectors={detectors}. Each must be positive."
            )
        self.device = torch.device("cpu" if torch.device(device).type == "mps" else device)
        self._geometry = size, self.detectors, tuple(self.angles.tolist()), self.device

    def forward(self, image: Tensor) -> Tensor:
        """Line integrals `(N, 1, views, detectors)` of `image (N, 1, size, size)` in 1/mm."""
        _check("image", image, (self.size, self.size))
        rays = _Linear.apply(image.float(), self._joseph.to_rays, self._joseph.to_image)
        return rays * self.pixel_mm

    __call__ = forward

    def adjoint(self, sinogram: Tensor) -> Tensor:
        """The exact transpose of `forward`, in mm: `(N, 1, size, size)` from a sinogram.

        <forward(x), y> = <x, adjoint(y)>; it smears each ray back over its pixels.
        """
        _check("sinogram", sinogram, (len(self.angles), self.detectors))
        image = _Linear.apply(sinogram.float(), self._joseph.to_image, self._joseph.to_rays)
        return image * self.pixel_mm

    def fbp(self, sinogram: Tensor, window: str = "ram-lak") -> Tensor:
        """Filtered back-projection: attenuation in 1/mm `(N, 1, size, size)` from line integrals.

        mu(x, y) = Δθ Σ_θ (p(θ, ·) * h)(x cos θ + y sin θ), where h is the band-limited ramp
        h(0) = 1/4, h(odd n) = -1/(πn)², h(even n) = 0 (per detector spacing squared), zero-padded
        to twice the detector and smoothed by `window`, a key of `WINDOWS`. Evenly spaced views are
        assumed. A scan of less than 180 degrees keeps Δθ = arc / views: what was not measured
        stays missing, nothing is scaled up for it.

        Source: Kak & Slaney 1988, eq. 3.61, doi 10.1137/1.9780898719277.
        """
        _check("sinogram", sinogram, (len(self.angles), self.detectors))
        if window not in WINDOWS:
            raise CourseError(f"No window {window!r}. Choose one of: {', '.join(WINDOWS)}.")
        length = 2 ** math.ceil(math.log2(2 * self.detectors))
        n = torch.fft.fftfreq(length, 1 / length, device=sinogram.device)
        # Transforming the sampled kernel, not |f| itself, keeps the mean: no cupping, no offset.
        ramp = torch.where(n % 2 == 1, -1 / (math.pi * n) ** 2, 0.0)
        ramp[0] = 1 / 4
        frequency = torch.fft.rfftfreq(length, device=sinogram.device)
        response = torch.fft.rfft(ramp).real * WINDOWS[window](frequency)
        filtered = torch.fft.irfft(torch.fft.rfft(sinogram.float(), n=length) * response, n=length)
        views = len(self.angles)
        arc = math.radians(float(self.angles.max() - self.angles.min()))
        # Beyond 180 degrees rays are measured again, hence no more than π in all.
        step = min(arc / (views - 1), math.pi / views) if views > 1 else math.pi
        filtered = filtered[..., : self.detectors] * (step / self.pixel_mm)
        nearest = self._interpolation
        return _Linear.apply(filtered, nearest.to_image, nearest.to_rays)

    # Built when first needed, and shared between scanners of the same geometry.
    @cached_property
    def _joseph(self) -> SystemMatrix:
        return system_matrix("joseph", *self._geometry)

    @cached_property
    def _interpolation(self) -> SystemMatrix:
        return system_matrix("interpolation", *self._geometry)


class _Linear(torch.autograd.Function):
    """A linear map whose gradient is its adjoint, and the other way round, to any order."""

    @staticmethod
    def forward(ctx, x: Tensor, apply: Callable, adjoint: Callable) -> Tensor:
        ctx.maps = apply, adjoint
        return apply(x)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        apply, adjoint = ctx.maps
        return _Linear.apply(gradient, adjoint, apply), None, None


def counts(
    line_integrals: Tensor,
    photons: float | Tensor,
    electronic_noise: float = 0.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Detected photons by Beer and Lambert: Poisson(photons exp(-p)) + Normal(0, noise²).

    Arguments:
        line_integrals: p, any shape, no unit.
        photons: I0, photons per ray before the patient, one number or one for each case. This is
            the dose knob: noise variance of a line integral is about 1/counts +
            electronic_noise²/counts².
        electronic_noise: standard deviation of the detector's own noise, in photons.
        generator: a CPU generator.

    Returns counts of the same shape and device; below zero where electronic noise says so. Not
    differentiable.
    """
    expected = photons * torch.exp(-line_integrals.detach().float().cpu())
    measured = torch.poisson(expected, generator=generator)
    if electronic_noise:
        measured += electronic_noise * torch.randn(measured.shape, generator=generator)
    return measured.to(line_integrals.device)


def line_integrals(counts: Tensor, photons: float | Tensor, floor: float = 0.5) -> Tensor:
    """Line integrals from counts: p = -log(max(counts, floor) / photons), no unit.

    The floor stands for rays in which no photon arrived, whose logarithm would be infinite.
    """
    return -torch.log(counts.clamp(min=floor) / photons)


def low_dose_sinogram(
    sinogram: Tensor,
    photons: float | Tensor,
    electronic_noise: float = 0.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """A noisy scan of clean line integrals: `counts`, then `line_integrals`, same arguments."""
    return line_integrals(counts(sinogram, photons, electronic_noise, generator), photons)


def _as_degrees(chosen: int | Tensor) -> Tensor:
    return angles(chosen) if isinstance(chosen, int) else torch.as_tensor(chosen).cpu().double()


def _check(what: str, tensor: Tensor, shape: tuple[int, int]) -> None:
    if tensor.ndim != 4 or tensor.shape[1] != 1 or tuple(tensor.shape[2:]) != shape:
        raise CourseError(
            f"This scanner takes one {what} per case, (N, 1, {shape[0]}, {shape[1]}); "
            f"this one is {tuple(tensor.shape)}."
        )
