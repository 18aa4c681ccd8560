"""A directional, undecimated wavelet transform that loses nothing.

The plane of frequencies is cut into rings, each ring into wedges: a low-pass, and for each finer
ring twice as many directions (1, 2, 4 and 8 bands: 15 for three levels), as in the non-subsampled
contourlet transform. Each band is the image seen through one window, at full size:

    c_k = F⁻¹ (w_k F x),      x = Σ_k F⁻¹ (w_k F c_k),      Σ_k w_k² = 1 at every frequency

so the transform is a tight frame: the inverse is the transpose, exact up to rounding. The windows
go over into each other smoothly (a cosine over half of their width) and are the same at f and -f,
so that real images have real bands. The filters are not those of da Cunha, Zhou & Do 2006
(doi 10.1109/TIP.2006.877507), which have no counterpart in Python; number, direction and size of
the bands are.
"""

import math
from functools import lru_cache

import torch
from torch import Tensor

LEVELS = 3


def forward(image: Tensor, levels: int = LEVELS) -> Tensor:
    """(N, 1, H, W) → (N, 2^(levels + 1) - 1, H, W): the low-pass first, then the wedges from the
    coarsest ring to the finest."""
    spectrum = torch.fft.fft2(image)
    return torch.fft.ifft2(spectrum * _windows(*image.shape[-2:], levels).to(image)).real


def inverse(bands: Tensor, levels: int = LEVELS) -> Tensor:
    """The image whose bands these are; of bands that no image has, the nearest in mean square."""
    windows = _windows(*bands.shape[-2:], levels).to(bands)
    return torch.fft.ifft2((torch.fft.fft2(bands) * windows).sum(1, keepdim=True)).real


@lru_cache(maxsize=16)
def _windows(height: int, width: int, levels: int) -> Tensor:
    """w_k at the frequencies of `fft2`, (2^(levels + 1) - 1, H, W)."""
    v, u = torch.meshgrid(torch.fft.fftfreq(height), torch.fft.fftfreq(width), indexing="ij")
    octave = torch.log2(torch.maximum(u.abs(), v.abs()).clamp_min(1e-9) / 0.5)  # 0 at the edge
    angle = torch.atan2(v, u) % math.pi
    rings = [_step(octave + levels - k) for k in range(levels)]  # passes above 2^(k - levels)
    windows = [torch.sqrt(1 - rings[0].square())]
    for k in range(levels):
        beyond = rings[k + 1].square() if k + 1 < levels else torch.zeros_like(u)
        ring = torch.sqrt((rings[k].square() - beyond).clamp_min(0))
        windows += [ring * wedge for wedge in _wedges(angle, 2 ** (k + 1))]
    found = torch.stack(windows)
    mirrored = found.flip(1, 2).roll((1, 1), (1, 2))  # at -f; Nyquist is its own mirror
    return torch.sqrt((found.square() + mirrored.square()) / 2)


def _step(octaves: Tensor) -> Tensor:
    """0 below -½ octave, 1 above ½, a quarter of a sine in between."""
    return torch.sin(math.pi / 2 * (octaves + 0.5).clamp(0, 1))


def _wedges(angle: Tensor, count: int) -> list[Tensor]:
    """Directions whose squares add to one: a cosine over half of each neighbour's wedge."""
    wide = math.pi / count
    found = []
    for k in range(count):
        away = (angle - k * wide + math.pi / 2) % math.pi - math.pi / 2
        flat = (away.abs() / wide * 2 - 0.5).clamp(0, 1)  # 0 within a quarter, 1 beyond three
        found.append(torch.cos(math.pi / 2 * flat))
    return found
