"""Exercises of the CT reconstruction lesson: the ramp filter, and one step towards the data."""

import math

import torch

from course_lib.lesson.exercise import Exercise, expect


def ramp_filter(sinogram, spacing_mm):
    """Every view (last axis) with each frequency f, in cycles per mm, multiplied by |f|."""
    detectors = sinogram.shape[-1]
    frequency = torch.fft.rfftfreq(detectors, spacing_mm)
    return torch.fft.irfft(torch.fft.rfft(sinogram) * frequency, n=detectors)


def check_ramp(candidate):
    """Looks at waves whose answer is known, at a constant, and at single views."""
    given = torch.rand(2, 1, 3, 127, generator=torch.Generator().manual_seed(0))
    _expect_tensor(candidate(given, 1.0), given, given.clone(), lambda x: candidate(x, 1.0))

    middle = slice(48, 80)
    place = torch.arange(128)
    for cycles, spacing in ((8, 1.0), (24, 1.0), (24, 2.5), (8, 0.5)):
        wave = torch.cos(2 * math.pi * cycles / 128 * place)
        frequency = cycles / 128 / spacing
        result = candidate(wave.expand(1, 1, 4, 128).clone(), spacing)[..., middle]
        wanted = frequency * wave[middle]
        expect(
            (result - wanted).abs().max() < 0.05 * frequency,
            f"A wave of {frequency:.3g} cycles per mm (detectors {spacing:g} mm apart) should come "
            f"out as the same wave, {frequency:.3g} times as high; yours is "
            f"{result.abs().max().item():.3g} high. The unit is cycles per mm, not radians.",
        )
    flat = candidate(torch.ones(1, 1, 4, 128), 1.0)[..., middle]
    expect(flat.abs().max() < 0.01, "A constant has frequency 0: it should vanish, yours does not.")
    views = torch.zeros(1, 1, 4, 128)
    views[:, :, 0] = torch.cos(2 * math.pi * 16 / 128 * place)
    result = candidate(views, 1.0)
    expect(
        result[:, :, 1:].abs().max() < 1e-4,
        "A view of zeros did not stay zero. Filter along the detectors, the last axis, not across "
        "the views.",
    )


def data_step(image, sinogram, forward, adjoint, step):
    """The image after one gradient step on ½ ||forward(image) - sinogram||²."""
    return image - step * adjoint(forward(image) - sinogram)


def check_step(candidate):
    """Compares with autograd's gradient for a random linear scanner."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(3 * 5, 4 * 4, generator=generator)

    def forward(image):
        return (image.flatten(1) @ matrix.T).reshape(-1, 1, 3, 5)

    def adjoint(rays):
        return (rays.flatten(1) @ matrix).reshape(-1, 1, 4, 4)

    truth, image = torch.randn(2, 2, 1, 4, 4, generator=generator)
    data = forward(truth)
    kept, kept_data = image.clone(), data.clone()
    result = candidate(image, data, forward, adjoint, 0.01)
    _expect_tensor(
        result, image, kept, lambda x: candidate(x, data, forward, adjoint, 0.01), data, kept_data
    )
    there = candidate(truth, data, forward, adjoint, 0.01)
    expect(
        torch.allclose(there, truth, atol=1e-4),
        "The true image already explains its sinogram, so the step should leave it as it is; "
        "yours moves it.",
    )

    def misfit(x):
        return 0.5 * (forward(x) - data).square().sum()

    before, after = misfit(image).item(), misfit(result).item()
    expect(
        after < before,
        f"The misfit should fall. Before: {before:.4g}, after your step: {after:.4g}. Downhill is "
        "against the gradient.",
    )
    for step in (0.01, 0.002):
        result = candidate(image, data, forward, adjoint, step)
        with torch.enable_grad():
            leaf = image.clone().requires_grad_()
            (slope,) = torch.autograd.grad(misfit(leaf), leaf)
        ratio = ((result - image).norm() / (step * slope.norm())).item()
        expect(
            torch.allclose(result, image - step * slope, atol=1e-4),
            f"With step {step:g} the image should move by step · gradient; yours moves "
            f"{ratio:.3g} times as far, or elsewhere.",
        )


def _expect_tensor(result, given, kept, again, *data):
    expect(result is not None, "Your function returns nothing. Is the `return` missing?")
    expect(isinstance(result, torch.Tensor), f"A tensor was expected, not {type(result).__name__}.")
    expect(not result.is_complex(), "The result is complex. Transform back to real numbers.")
    shapes = f"{tuple(given.shape)}, yours has {tuple(result.shape)}"
    expect(result.shape == given.shape, f"The result should have the input's shape {shapes}.")
    again(given)
    unchanged = torch.equal(given, kept) and (not data or torch.equal(*data))
    expect(unchanged, "Your function changes its input. Make a new tensor instead.")


def _kernel(sinogram, spacing_mm):
    """A right answer by another road: convolution with the band-limited kernel, zero-padded."""
    count = sinogram.shape[-1]
    n = torch.arange(-count + 1, count)
    kernel = torch.where(n % 2 == 0, 0.0, -1 / (math.pi * n.float()) ** 2)
    kernel[count - 1] = 0.25
    flat = sinogram.reshape(-1, 1, count)
    result = torch.nn.functional.conv1d(flat, kernel[None, None], padding=count - 1)
    return result.reshape(sinogram.shape) / spacing_mm


def _complex(sinogram, spacing_mm):
    frequency = torch.fft.fftfreq(sinogram.shape[-1], spacing_mm).abs()
    return torch.fft.ifft(torch.fft.fft(sinogram) * frequency).real


def _derivative(sinogram, spacing_mm):
    frequency = torch.fft.fftfreq(sinogram.shape[-1], spacing_mm)
    return torch.fft.ifft(torch.fft.fft(sinogram) * 1j * frequency).real


def _no_length(sinogram, spacing_mm):
    frequency = torch.fft.rfftfreq(sinogram.shape[-1], spacing_mm)
    return torch.fft.irfft(torch.fft.rfft(sinogram) * frequency)


def _squared(sinogram, spacing_mm):
    return ramp_filter(ramp_filter(sinogram, spacing_mm), spacing_mm)


def _across_views(sinogram, spacing_mm):
    return ramp_filter(sinogram.transpose(-1, -2), spacing_mm).transpose(-1, -2)


def _not_back(sinogram, spacing_mm):
    return torch.fft.fft(sinogram) * torch.fft.fftfreq(sinogram.shape[-1], spacing_mm).abs()


def _in_place(sinogram, spacing_mm):
    return sinogram.copy_(ramp_filter(sinogram, spacing_mm))


def _by_autograd(image, sinogram, forward, adjoint, step):
    """A right answer by another road: let torch find the gradient."""
    with torch.enable_grad():
        leaf = image.detach().clone().requires_grad_()
        loss = 0.5 * (forward(leaf) - sinogram).square().sum()
        (slope,) = torch.autograd.grad(loss, leaf)
    return image - step * slope


def _step_in_place(image, sinogram, forward, adjoint, step):
    image -= step * adjoint(forward(image) - sinogram)
    return image


EXERCISES = (
    Exercise(
        id="reconstruction_ct.ramp_filter",
        title="The ramp filter",
        hints=(
            "Three steps: each view into its frequencies, each frequency times its own size, and "
            "back. The module `torch.fft` has all you need.",
            "For real numbers use rfft and irfft along the last axis. `torch.fft.rfftfreq(count, "
            "spacing)` gives the frequencies in cycles per mm; they are never negative.",
            "frequency = torch.fft.rfftfreq(sinogram.shape[-1], spacing_mm), then "
            "torch.fft.irfft(torch.fft.rfft(sinogram) * frequency, n=…): without n, an odd number "
            "of detectors loses one.",
        ),
        checker=check_ramp,
        answer=ramp_filter,
        right=(_complex, _kernel),
        wrong=(
            (lambda p, s: p, "does not filter"),
            (_derivative, "takes the derivative, whose frequencies have a sign"),
            (_squared, "multiplies with f squared"),
            (_across_views, "filters across the views"),
            (lambda p, s: ramp_filter(p, 1.0), "forgets the distance of the detectors"),
            (lambda p, s: ramp_filter(p, 1 / s), "turns the distance upside down"),
            (lambda p, s: 2 * math.pi * ramp_filter(p, s), "counts radians instead of cycles"),
            (lambda p, s: p - ramp_filter(p, s), "keeps the low frequencies"),
            (lambda p, s: -ramp_filter(p, s), "turns the sign round"),
            (_no_length, "loses a detector when their number is odd"),
            (_not_back, "forgets to transform back"),
            (_in_place, "changes its input"),
        ),
    ),
    Exercise(
        id="reconstruction_ct.data_step",
        title="One step towards the data",
        hints=(
            "Ask three things in turn: what would the scanner measure of this image, how far is "
            "that from what it did measure, and which pixels are to blame?",
            "The gradient of ½ ||A x - y||² is Aᵀ(A x - y). `forward` is A, `adjoint` is Aᵀ. "
            "Downhill means against the gradient.",
            "residual = forward(image) - sinogram, then image - step * adjoint(…).",
        ),
        checker=check_step,
        answer=data_step,
        right=(_by_autograd,),
        wrong=(
            (lambda x, y, A, At, t: x + t * At(A(x) - y), "walks uphill"),
            (lambda x, y, A, At, t: x - At(A(x) - y), "forgets the step"),
            (lambda x, y, A, At, t: t * At(A(x) - y), "returns the change, not the image"),
            (lambda x, y, A, At, t: x + t * At(y), "forgets what the image already explains"),
            (lambda x, y, A, At, t: x - 2 * t * At(A(x) - y), "forgets the one half"),
            (lambda x, y, A, At, t: x - t * (x - At(y)), "compares images instead of sinograms"),
            (lambda x, y, A, At, t: data_step(x, y, A, At, t).clamp(min=0), "clips as well"),
            (lambda x, y, A, At, t: A(x) - t * (A(x) - y), "stays in the sinogram"),
            (lambda x, y, A, At, t: x - t * At((A(x) - y).sign()), "keeps only the sign"),
            (_step_in_place, "changes its input"),
        ),
    ),
)
