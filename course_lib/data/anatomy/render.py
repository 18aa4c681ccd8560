"""Rendering: from tissues on a fine grid to what a scanner would show.

Tissues are labelled on a grid `factor` times finer than the image. Each becomes a signal with
texture, and the scanner's optics take the fine signal to pixels. A pixel on a border therefore
holds the mixture that it covers (partial volume), and a fine grid cut in k-space rings at sharp
edges as MR does. Bias, phase and noise come last, in the order of the physics.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from course_lib.data.anatomy import tissues
from course_lib.data.anatomy.scanner import MR, Scanner

REFERENCE = {"brain": "grey_matter", "chest": "muscle"}
"""The tissue whose MR signal is set to 0.5 (a scanner's scale is arbitrary)."""
SLOW_MM, FINE_MM = 9.0, 1.8
"""Grain of the texture within tissues."""
_FWHM = 2.3548  # full width at half maximum of a Gaussian, in standard deviations
_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


@dataclass(frozen=True)
class Specimen:
    """A batch of anatomy to be rendered.

    labels: int64 (B, *fine), tissue numbers. detail: (B, *fine), relative deviation of myelin.
    measured: contrast → (B, *fine), real values to be used instead of rendered ones.
    region: whose table. factor: fine pixels per pixel along each axis. pixel_mm: pixel size.
    generators: one CPU generator per case, so that a case does not depend on its neighbours.
    """

    labels: Tensor
    detail: Tensor
    measured: dict[str, Tensor]
    region: str
    factor: int
    pixel_mm: float
    generators: Sequence[torch.Generator]

    @property
    def shape(self) -> tuple[int, ...]:
        """Spatial shape of the image."""
        return tuple(size // self.factor for size in self.labels.shape[1:])


def render(
    specimen: Specimen, scanners: Sequence[Scanner], contrasts: Sequence[str], phase: bool = False
) -> dict[str, Tensor]:
    """Images (B, 1, *spatial) of the same specimens in each contrast, one scanner per case.

    MR is the magnitude of signal plus complex Gaussian noise (Rician), in a.u.; CT in HU; PET in
    SUV. With `phase` every MR contrast also comes as NAME_complex (complex64), whose magnitude is
    the image.
    """
    tables = [tissues.table(specimen.region, scanner.tesla) for scanner in scanners]
    table = {name: torch.stack([one[name] for one in tables]) for name in tables[0]}
    table = _vary(table, specimen.generators)
    flat = specimen.labels.flatten(1)
    texture = _texture(specimen) * _of(table["texture"], flat, specimen.labels.shape)
    myelin = specimen.detail + texture
    result: dict[str, Tensor] = {}
    angle = _phase(specimen) if phase else None
    for contrast in contrasts:
        mean, slope = _response(contrast, table, scanners, specimen.region)
        if contrast in specimen.measured:
            signal = specimen.measured[contrast]
        else:
            shape = specimen.labels.shape
            signal = _of(mean, flat, shape).addcmul_(_of(slope, flat, shape), myelin)
        image = _optics(signal, specimen, _transfer(contrast, scanners, specimen))
        if contrast in MR:
            image = _receive(image, angle, scanners, specimen)
            if phase:
                result[f"{contrast}_complex"] = image[:, None]
            image = image.abs()
        elif contrast == "ct":
            image = image + _ct_noise(specimen, scanners, contrast in specimen.measured)
            image = image.clamp_(-1024, 3071)
        else:
            image = _pet_noise(image.clamp_(min=0), specimen, scanners)
        result[contrast] = image[:, None]
    return result


def _draw(shape: Sequence[int], generators: Sequence[torch.Generator]) -> Tensor:
    return torch.stack([torch.randn(tuple(shape), generator=g) for g in generators])


def _of(table: Tensor, flat: Tensor, shape: Sequence[int]) -> Tensor:
    """Each voxel's entry in its case's row of a table (B, tissues)."""
    return table.gather(1, flat).view(tuple(shape))


def _vary(table: dict[str, Tensor], generators: Sequence[torch.Generator]) -> dict[str, Tensor]:
    """People differ: a few per cent in relaxation, more in uptake, two HU."""
    one, two, three, four, five = _draw((5, table["hu"].shape[1]), generators).unbind(1)
    return {
        "t1": table["t1"] * torch.exp(0.035 * one),
        "t2": table["t2"] * torch.exp(0.035 * two),
        "pd": table["pd"] * torch.exp(0.015 * three),
        "suv": table["suv"] * torch.exp(0.12 * four),
        "hu": table["hu"] + 2 * five * (table["hu"] > -900),
        "texture": table["texture"],
    }


def _grain(cells_mm: float, specimen: Specimen) -> Tensor:
    """Random variation of a given grain and standard deviation one, on the fine grid."""
    fine = specimen.labels.shape[1:]
    cell = cells_mm * specimen.factor / specimen.pixel_mm
    coarse = [max(2, math.ceil(size / cell) + 1) for size in fine]
    noise = _draw(coarse, specimen.generators)[:, None]
    mode = _LINEAR[len(fine)]
    smooth = F.interpolate(noise, tuple(fine), mode=mode, align_corners=True)[:, 0]
    return smooth / math.sqrt((2 / 3) ** len(fine))  # what linear interpolation leaves


def _texture(specimen: Specimen) -> Tensor:
    return 0.7 * _grain(SLOW_MM, specimen) + 0.7 * _grain(FINE_MM, specimen)


def _response(
    contrast: str, table: dict[str, Tensor], scanners: Sequence[Scanner], region: str
) -> tuple[Tensor, Tensor]:
    """Each tissue's signal and how it changes with myelin, (B, tissues) each.

    Myelin shortens T1 and T2 and displaces water; the change is taken to first order.
    """
    if contrast == "ct":
        return table["hu"], 25 + 0.8 * (table["hu"] - 200).clamp(min=0)
    if contrast == "pet":
        return table["suv"], table["suv"]

    def signal(myelin: float) -> Tensor:
        rows = [
            getattr(scanner, contrast).signal(pd, t1, t2)
            for scanner, pd, t1, t2 in zip(
                scanners,
                table["pd"] * (1 - 0.4 * myelin),
                table["t1"] * (1 - myelin),
                table["t2"] * (1 - 0.5 * myelin),
                strict=True,
            )
        ]
        return torch.stack(rows)

    mean = signal(0.0)
    slope = (signal(0.05) - signal(-0.05)) / 0.1
    reference = mean[:, [tissues.labels(region)[REFERENCE[region]]]]
    return 0.5 * mean / reference, 0.5 * slope / reference


def _frequencies(shape: Sequence[int]) -> list[Tensor]:
    """Frequencies [cycles per pixel] of the half spectrum that `rfftn` gives, one per axis."""
    axes = [torch.fft.fftfreq(size) for size in shape[:-1]] + [torch.fft.rfftfreq(shape[-1])]
    return list(torch.meshgrid(*axes, indexing="ij"))


def _transfer(contrast: str, scanners: Sequence[Scanner], specimen: Specimen) -> Tensor:
    """Modulation transfer function of each case's scanner, (B, *half spectrum)."""
    frequencies = _frequencies(specimen.shape)
    squared = sum(f**2 for f in frequencies)

    def of(scanner: Scanner) -> Tensor:
        if contrast in MR:  # the acquired rectangle of k-space with a tapered edge
            edge = 0.5 * scanner.resolution
            tapers = [
                (0.5 + 0.5 * torch.cos(math.pi * ((f.abs() / edge - 0.6) / 0.4).clamp(0, 1)))
                for f in frequencies
            ]
            return torch.stack(tapers).prod(0)
        if contrast == "ct":
            width = 0.3 if contrast in specimen.measured else 0.95 - 0.2 * scanner.ct_sharpness
        else:
            width = scanner.pet_fwhm_mm / _FWHM / specimen.pixel_mm
        return torch.exp(-2 * (math.pi * width) ** 2 * squared)

    known = {scanner.name: of(scanner) for scanner in set(scanners)}
    return torch.stack([known[scanner.name] for scanner in scanners])


def _optics(signal: Tensor, specimen: Specimen, transfer: Tensor) -> Tensor:
    """From the fine grid to pixels: the spectrum is filtered and cut to what pixels can hold."""
    shape = specimen.shape
    axes = tuple(range(1, 1 + len(shape)))
    spectrum = torch.fft.rfftn(signal, dim=axes)[..., : shape[-1] // 2 + 1]
    for axis, size in zip(axes[:-1], shape[:-1], strict=True):
        low = spectrum.narrow(axis, 0, size - size // 2)
        high = spectrum.narrow(axis, spectrum.shape[axis] - size // 2, size // 2)
        spectrum = torch.cat([low, high], dim=axis)
    # A pixel's centre lies half a pixel, less half a fine one, from the first fine centre.
    shift = 0.5 * (1 - 1 / specimen.factor)
    ramp = 2 * math.pi * shift * sum(_frequencies(shape))
    filtered = spectrum * (transfer * torch.polar(torch.ones_like(ramp), ramp))
    return torch.fft.irfftn(filtered, s=shape, dim=axes) / specimen.factor ** len(shape)


def _smooth(cells: int, specimen: Specimen) -> Tensor:
    """A slowly varying random field over the image, standard deviation about one."""
    shape = specimen.shape
    noise = _draw([cells] * len(shape), specimen.generators)[:, None]
    mode = "bicubic" if len(shape) == 2 else "trilinear"
    return F.interpolate(noise, shape, mode=mode, align_corners=True)[:, 0]


def _column(values: Sequence[float], dims: int) -> Tensor:
    return torch.tensor(values).view(-1, *[1] * dims)


def _phase(specimen: Specimen) -> Tensor:
    """Smooth phase [rad], as field inhomogeneity and coils leave it."""
    return 1.2 * _smooth(4, specimen) + math.pi * torch.rand(1, generator=specimen.generators[0])


def _receive(
    image: Tensor, angle: Tensor | None, scanners: Sequence[Scanner], specimen: Specimen
) -> Tensor:
    """Complex MR image: shaded by the coils, turned by the phase, with thermal noise."""
    dims = image.dim() - 1
    shading = _column([scanner.bias for scanner in scanners], dims) * _smooth(4, specimen)
    noise = _draw((2, *specimen.shape), specimen.generators).movedim(1, -1).contiguous()
    level = 0.5 * _column([scanner.noise for scanner in scanners], dims)
    shaded = image * torch.exp(shading)
    turned = shaded + 0j if angle is None else torch.polar(torch.ones_like(angle), angle) * shaded
    return turned + level * torch.view_as_complex(noise)


def _coloured(specimen: Specimen, amplitude: Tensor) -> Tensor:
    """Noise of standard deviation one with the given spectrum, (B, *spatial)."""
    shape = specimen.shape
    axes = tuple(range(1, 1 + len(shape)))
    white = torch.fft.rfftn(_draw(shape, specimen.generators), dim=axes)
    noise = torch.fft.irfftn(white * amplitude, s=shape, dim=axes)
    return noise / noise.flatten(1).std(1).view(-1, *[1] * len(shape))


def _ct_noise(specimen: Specimen, scanners: Sequence[Scanner], measured: bool) -> Tensor:
    """Filtered backprojection's noise, most in the middle of the body.

    Its power spectrum f exp(−f/f₀), f in cycles per mm, fits that of `chest_ct`'s liver with
    f₀ = 0.10 per mm. On measured pixels only a third is added, because they bring their own.
    """
    shape = specimen.shape
    per_mm = sum(f**2 for f in _frequencies(shape)).sqrt() / specimen.pixel_mm
    peak = _column([0.08 + 0.06 * scanner.ct_sharpness for scanner in scanners], len(shape))
    noise = _coloured(specimen, (per_mm * torch.exp(-per_mm / peak)).sqrt())
    centred = [torch.linspace(-1, 1, size) ** 2 for size in shape[-2:]]
    profile = torch.exp(-0.8 * (centred[0][:, None] + centred[1]))
    level = _column([scanner.ct_noise_hu for scanner in scanners], len(shape))
    return level * (0.33 if measured else 1.0) * profile * noise


def _pet_noise(image: Tensor, specimen: Specimen, scanners: Sequence[Scanner]) -> Tensor:
    """Counting noise: variance in proportion to uptake, smoothed as reconstructions are."""
    squared = sum(f**2 for f in _frequencies(specimen.shape))
    width = 0.6 * _column([s.pet_fwhm_mm for s in scanners], image.dim() - 1)
    amplitude = torch.exp(-2 * (math.pi * width / _FWHM / specimen.pixel_mm) ** 2 * squared)
    counts = _column([scanner.pet_counts for scanner in scanners], image.dim() - 1)
    noisy = image + (image / counts).sqrt() * _coloured(specimen, amplitude)
    return noisy.clamp_(min=0)
