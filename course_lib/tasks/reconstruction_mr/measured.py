"""Measured k-space as cases: coils combined to one complex picture, whose k-space is then sampled.

Coil c sees m_c = s_c·x + noise: the picture x times its own sensitivity s_c. The combined picture
has

    magnitude  √(Σ_c |m_c|²)                 root sum of squares: |x| where Σ|s_c|² = 1
    phase      arg Σ_c |m_c|·m_c·exp(−iθ_c)   each coil turned by one angle, and weighted by itself

where θ_c makes all coils agree with the strongest virtual coil, the first singular vector of the
coils' pictures. The magnitude is the truth that fastMRI uses; where coils see little, noise lifts
it a little above |x|. The phase has the object's and the coils' smooth phases. k-space of this
picture is its Fourier transform: what one coil of even sensitivity would have measured. Noise is
that of the scan, so none is added when samples are left out.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Cases
from course_lib.data.own.kspace import Acquisition
from course_lib.physics import mr
from course_lib.tasks.reconstruction_mr.scans import Scan, sampled

COMBINED = "measured k-space, coils combined"


def combined(coils: Tensor) -> Tensor:
    """One complex picture (N, 1, H, W) from those of K coils (N, K, H, W)."""
    flat = coils.flatten(2)
    gram = flat @ flat.mH  # (N, K, K): its first eigenvector is the first singular vector
    angle = torch.linalg.eigh(gram).eigenvectors[..., -1].angle()
    turned = coils * torch.polar(torch.ones_like(angle), -angle)[..., None, None]
    phase = (coils.abs() * turned).sum(1, keepdim=True).angle()
    return torch.polar(coils.abs().square().sum(1, keepdim=True).sqrt(), phase)


def cropped(values: Tensor, rows: int, columns: int) -> Tensor:
    """The middle of the last two axes, or the values with zeros around where they are smaller. The
    middle (frequency zero) of an axis of n is n // 2."""
    margins: list[int] = []
    for have, want in ((values.shape[-1], columns), (values.shape[-2], rows)):
        before = want // 2 - have // 2
        margins += [before, want - have - before]
    return F.pad(values, margins)


def picture(acquisition: Acquisition, number: int, side: int) -> Tensor:
    """A slice as a combined picture (1, 1, side, side): cropped to what is kept, made square, and
    brought to `side` pixels by keeping the middle of its k-space, which is a coarser scan."""
    coils = torch.tensor(acquisition.coils(number))[None]
    whole = combined(cropped(mr.ifft2c(coils), *acquisition.kept))
    longest = max(acquisition.kept)
    image = mr.ifft2c(cropped(mr.fft2c(cropped(whole, longest, longest)), side, side))
    return image / torch.quantile(image.abs(), 0.995).clamp_min(1e-20)


def side_of(acquisitions: Sequence[Acquisition], pixels: int) -> int:
    """Pixels along a side that all can have: an even number, no more than any was measured with."""
    return min(pixels, *(max(acquisition.kept) for acquisition in acquisitions)) // 2 * 2


def cases(acquisition: Acquisition, count: int, group: str, scan: Scan) -> Cases:
    """Slices of the middle of an acquisition, and the samples of them that the mask takes."""
    depth, side = acquisition.shape[0], scan.size.pixels
    rows = [int(depth * (0.3 + 0.4 * (k + 0.5) / count)) for k in range(count)]
    rows = list(dict.fromkeys(rows))
    target = torch.cat([picture(acquisition, row, side) for row in rows])
    longest = max(acquisition.kept)
    named = [f"{acquisition.case}/z{row:03d}" for row in rows]
    whose = [acquisition.subject] * len(rows)
    pixel_mm = max(acquisition.pixel_mm or (1.0, 1.0)) * longest / side
    found = sampled(target, named, whose, group, pixel_mm, scan)
    return replace(
        found,
        tensors=found.tensors | without_noise(target, found["mask"]),
        provenance={"target": COMBINED, "kspace": f"{COMBINED}; samples left out"},
    )


def without_noise(target: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """The samples that the mask takes, with the noise they were measured with and no other."""
    kspace = mr.forward(target, mask)
    return {"kspace": kspace, "zero_filled": mr.ifft2c(kspace)}
