"""Exercise of the denoising lesson: what fewer photons do to a scan."""

import math

import torch

from course_lib.lesson.exercise import Exercise, expect


def noisy_scan(line_integrals, photons, generator):
    """Line integrals as measured with `photons` per ray: the Poisson noise of Beer–Lambert counts.

    N = Poisson(photons · exp(-p)),  p_noisy = -log(max(N, 1) / photons)
    """
    expected = photons * torch.exp(-line_integrals)
    counts = torch.poisson(expected, generator=generator)
    return -torch.log(counts.clamp(min=1) / photons)


def check(candidate):
    """Looks at mean and spread of the noise for thin and thick objects and two doses."""

    def scan(thickness, photons, seed=0, rays=40_000):
        generator = torch.Generator().manual_seed(seed)
        return candidate(torch.full((1, rays), float(thickness)), float(photons), generator)

    given = torch.rand(2, 3, 5, generator=torch.Generator().manual_seed(1))
    kept = given.clone()
    result = candidate(given, 1e4, torch.Generator().manual_seed(0))
    expect(result is not None, "Your function returns nothing. Is the `return` missing?")
    expect(isinstance(result, torch.Tensor), f"A tensor was expected, not {type(result).__name__}.")
    expect(torch.equal(given, kept), "Your function changes its input. Make a new tensor instead.")
    shapes = f"{tuple(given.shape)}, yours has {tuple(result.shape)}"
    expect(result.shape == given.shape, f"The result should have the input's shape {shapes}.")

    noisy = scan(2.0, 1e4)
    mean, spread = noisy.mean().item(), noisy.std().item()
    expect(math.isfinite(mean), "For p = 2 and 10,000 photons the result is not a finite number.")
    expect(
        abs(mean - 2) < 0.02,
        f"Line integrals of 2 should still be 2 on average; yours average {mean:.4g}. "
        "The steps are: expected photons, counted photons, and back to a line integral.",
    )
    expect(spread > 1e-5, "There is no noise. Photons arrive by chance: which law counts them?")
    _expect_spread(spread, 2.0, 1e4)
    for thickness, photons in ((2.0, 1e5), (0.0, 1e4), (4.0, 1e5)):
        _expect_spread(scan(thickness, photons).std().item(), thickness, photons)

    neighbours = torch.corrcoef(torch.stack([noisy[0, :-1], noisy[0, 1:]]))[0, 1].item()
    expect(abs(neighbours) < 0.05, "Neighbouring rays share their noise. Each ray counts alone.")
    expect(
        torch.equal(noisy, scan(2.0, 1e4)),
        "The same generator seed gave two different scans. Hand `generator` to the random draw.",
    )
    expect(not torch.equal(noisy, scan(2.0, 1e4, seed=1)), "Another seed gave the same noise.")
    expect(
        torch.isfinite(scan(15.0, 1e3)).all(),
        "A ray so thick that no photon arrives became infinite: the logarithm of zero. "
        "Count at least one photon there.",
    )


def _expect_spread(spread, thickness, photons):
    wanted = math.sqrt(math.exp(thickness) / photons)  # of -log(Poisson), for many photons
    expect(
        0.93 < spread / wanted < 1.07,
        f"For p = {thickness:g} and {photons:,.0f} photons the noise should have a standard "
        f"deviation of {wanted:.4g}; yours has {spread:.4g}. Thicker objects and fewer photons "
        "are noisier.",
    )


def _with_numpy(line_integrals, photons, generator):
    """A right answer by another road: a numpy generator seeded from torch's."""
    import numpy as np

    rng = np.random.default_rng(torch.randint(2**31, (1,), generator=generator).item())
    counts = rng.poisson((photons * torch.exp(-line_integrals)).numpy())
    counts = torch.from_numpy(np.maximum(counts, 0.5)).float()
    return math.log(photons) - counts.log()


def _poisson_of_integrals(p, photons, generator):
    return torch.poisson(photons * p, generator=generator) / photons


def _counts(p, photons, generator):
    return torch.poisson(photons * torch.exp(-p), generator=generator)


def _constant_gauss(p, photons, generator):
    return p + 0.02 * torch.randn(p.shape, generator=generator)


def _dose_only_gauss(p, photons, generator):
    return p + torch.randn(p.shape, generator=generator) / math.sqrt(photons)


def _shared_noise(p, photons, generator):
    one = noisy_scan(p.flatten()[:1], photons, generator)
    return p + (one - p.flatten()[:1])


def _in_place(p, photons, generator):
    p.copy_(noisy_scan(p, photons, generator))
    return p


def _no_floor(p, photons, generator):
    return -torch.log(_counts(p, photons, generator) / photons)


EXERCISES = (
    Exercise(
        id="denoising.noisy_scan",
        title="The noise of a low-dose scan",
        hints=(
            "Three steps: how many photons should arrive (Beer–Lambert), how many do arrive "
            "(chance), and what line integral the detector then believes in.",
            "Expected: photons · exp(-p). Arriving: a Poisson draw with that mean, for which torch "
            "has a function. Believed: turn the first formula round and solve it for p.",
            "counts = torch.poisson(photons * torch.exp(-line_integrals), generator=generator), "
            "then -torch.log(… / photons), where no count may be smaller than 1.",
        ),
        checker=check,
        answer=noisy_scan,
        right=(_with_numpy,),
        wrong=(
            (_poisson_of_integrals, "counts the line integrals as if they were photons"),
            (_counts, "stops at the counts, without the logarithm"),
            (lambda p, n, g: -torch.log(_counts(p, n, g).clamp(min=1)), "forgets to divide"),
            (lambda p, n, g: -noisy_scan(p, n, g), "forgets the minus sign"),
            (lambda p, n, g: noisy_scan(-p, n, g), "lets thick objects brighten the ray"),
            (lambda p, n, g: -torch.log(torch.exp(-p)), "has no noise"),
            (_constant_gauss, "adds the same Gaussian noise at any dose"),
            (_dose_only_gauss, "knows the dose but not the object"),
            (_shared_noise, "draws one noise value for all rays"),
            (lambda p, n, g: noisy_scan(p, n, None), "ignores the generator"),
            (lambda p, n, g: noisy_scan(p, n / 2, g), "loses half of the photons"),
            (_no_floor, "takes the logarithm of zero"),
            (_in_place, "changes its input"),
            (lambda p, n, g: noisy_scan(p, n, g).flatten(), "loses the shape"),
            (lambda p, n, g: noisy_scan(p, n, g).numpy(), "returns another type"),
        ),
    ),
)
