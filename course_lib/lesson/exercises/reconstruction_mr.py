"""Exercises of the MR lesson: from picture to k-space and back, and data consistency."""

import torch

from course_lib.lesson.exercise import Exercise, expect
from course_lib.physics import mr


def fft2c(picture):
    """The orthonormal Fourier transform of the last two axes, frequency zero in the middle."""
    moved = torch.fft.ifftshift(picture, dim=(-2, -1))
    return torch.fft.fftshift(torch.fft.fft2(moved, norm="ortho"), dim=(-2, -1))


def check_transform(candidate):
    """Looks at a constant, a wave, a point beside the middle, energy, and the input."""
    generator = torch.Generator().manual_seed(0)
    picture = torch.complex(*torch.randn(2, 2, 1, 8, 12, generator=generator))
    kept = picture.clone()
    result = candidate(picture)
    _expect_complex(result, picture, kept)
    flat = candidate(torch.ones(1, 1, 8, 12) + 0j)[0, 0].abs()
    place = tuple(int(i) for i in (flat == flat.max()).nonzero()[0])
    expect(
        place == (4, 6),
        "A constant picture holds frequency zero alone, and that belongs in the middle, row 4 and "
        f"column 6 of 8 x 12; yours is at {place}. `torch.fft.fftshift` moves it there.",
    )
    energy = [float(x.abs().square().sum()) for x in (picture, result)]
    expect(
        abs(energy[1] / energy[0] - 1) < 1e-3,
        f"An orthonormal transform keeps the energy: {energy[0]:.4g} before, yours has "
        f"{energy[1]:.4g}. `norm='ortho'` does that.",
    )
    point = torch.zeros(1, 1, 8, 12) + 0j
    point[..., 4, 6] = 1
    turned = candidate(point)[0, 0]
    expect(
        torch.allclose(turned.imag, torch.zeros(8, 12), atol=1e-5) and (turned.real > 0).all(),
        "A point in the middle of the picture lies at place zero, so its k-space has no phase; "
        "yours has one. The picture must be shifted too, before the transform.",
    )
    expect(
        torch.allclose(result, mr.fft2c(picture), atol=1e-4),
        "Frequencies of this picture come out at other places or with another sign. Is it the "
        "forward transform, over the last two axes only?",
    )


def data_consistency(picture, kspace, mask):
    """The picture whose k-space equals what was measured wherever it was measured."""
    estimate = mr.fft2c(picture)
    return mr.ifft2c(estimate * (1 - mask) + kspace * mask)


def check_consistency(candidate):
    """Looks at measured and at unmeasured points, at repetition and at the truth."""
    generator = torch.Generator().manual_seed(0)
    truth, picture = torch.complex(*torch.randn(2, 2, 2, 1, 8, 8, generator=generator))
    mask = (torch.rand(2, 1, 8, 8, generator=generator) < 0.4).float()
    kspace, kept = mask * mr.fft2c(truth), picture.clone()
    result = candidate(picture, kspace, mask)
    _expect_complex(result, picture, kept)
    measured = (mask * (mr.fft2c(result) - kspace)).abs().max()
    expect(
        measured < 1e-4,
        "Where a sample was measured, the result's k-space should equal it exactly; yours differs "
        f"by up to {measured.item():.3g}.",
    )
    others = ((1 - mask) * (mr.fft2c(result) - mr.fft2c(picture))).abs().max()
    expect(
        others < 1e-4,
        "Where nothing was measured, the picture's own k-space should stay; yours changes by up to "
        f"{others.item():.3g}. Are holes filled with zeros?",
    )
    same = candidate(truth, kspace, mask)
    expect(torch.allclose(same, truth, atol=1e-4), "The truth agrees with its data: leave it be.")


def _expect_complex(result, given, kept):
    expect(result is not None, "Your function returns nothing. Is the `return` missing?")
    expect(isinstance(result, torch.Tensor), f"A tensor was expected, not {type(result).__name__}.")
    expect(
        result.is_complex(), "The result is real. Keep both parts: the phase belongs to the data."
    )
    expect(
        result.shape == given.shape,
        f"The shape should stay {tuple(given.shape)}, yours is {tuple(result.shape)}.",
    )
    expect(torch.equal(given, kept), "Your function changes its input. Make a new tensor instead.")


def _shifts(function, before, after, **options):
    def transform(picture):
        moved = torch.fft.ifftshift(picture, dim=(-2, -1)) if before else picture
        result = function(moved, **options)
        return torch.fft.fftshift(result, dim=(-2, -1)) if after else result

    return transform


def _by_axis(picture):
    """A right answer by another road: one axis after the other."""
    for axis in (-2, -1):
        moved = torch.fft.ifftshift(picture, dim=axis)
        picture = torch.fft.fftshift(torch.fft.fft(moved, dim=axis, norm="ortho"), dim=axis)
    return picture


def _all_axes(picture):
    """Right too: shifting the cases there and back again changes nothing."""
    moved = torch.fft.ifftshift(picture)
    return torch.fft.fftshift(torch.fft.fft2(moved, norm="ortho"))


def _where(picture, kspace, mask):
    return mr.ifft2c(torch.where(mask > 0, kspace, mr.fft2c(picture)))


def _in_place(picture, kspace, mask):
    return picture.copy_(data_consistency(picture, kspace, mask))


EXERCISES = (
    Exercise(
        id="reconstruction_mr.fft2c",
        title="From picture to k-space",
        hints=(
            "torch can transform in two dimensions; what needs care is where zero lies. In both "
            "pictures here it lies in the middle, torch wants it in the corner.",
            "`torch.fft.ifftshift` moves the middle into the corner, `torch.fft.fftshift` moves "
            "it back. Both take `dim=(-2, -1)`, or they would shift the cases too.",
            "Shift the picture, then torch.fft.fft2(…, norm='ortho'), then shift the result.",
        ),
        checker=check_transform,
        answer=fft2c,
        right=(_by_axis, _all_axes, mr.fft2c),
        wrong=(
            (lambda x: x, "does not transform"),
            (_shifts(torch.fft.fft2, False, False, norm="ortho"), "leaves zero in the corner"),
            (_shifts(torch.fft.fft2, False, True, norm="ortho"), "does not shift the picture"),
            (_shifts(torch.fft.fft2, True, True), "is not orthonormal"),
            (_shifts(torch.fft.ifft2, True, True, norm="ortho"), "is the inverse transform"),
            (_shifts(torch.fft.fft, True, True, norm="ortho"), "transforms one axis only"),
            (lambda x: mr.fft2c(x).abs(), "throws the phase away"),
        ),
    ),
    Exercise(
        id="reconstruction_mr.data_consistency",
        title="Back to what was measured",
        hints=(
            "Go to k-space, change there what you know better, come back.",
            "`mask` is 1 where a sample was measured. `mr.fft2c` and `mr.ifft2c` go there and "
            "back.",
            "estimate = mr.fft2c(picture); keep estimate * (1 - mask), add kspace * mask, then "
            "mr.ifft2c(…).",
        ),
        checker=check_consistency,
        answer=data_consistency,
        right=(_where,),
        wrong=(
            (lambda x, k, m: x, "changes nothing"),
            (lambda x, k, m: mr.ifft2c(k), "forgets the picture: holes stay empty"),
            (lambda x, k, m: mr.ifft2c(mr.fft2c(x) + k), "adds the samples instead of replacing"),
            (lambda x, k, m: mr.ifft2c(mr.fft2c(x) * m + k * (1 - m)), "turns the mask round"),
            (lambda x, k, m: x * (1 - m) + mr.ifft2c(k) * m, "mixes in the picture"),
            (lambda x, k, m: data_consistency(x, k, m).abs(), "throws the phase away"),
            (lambda x, k, m: (x + data_consistency(x, k, m)) / 2, "goes half the way"),
            (_in_place, "changes its input"),
        ),
    ),
)
