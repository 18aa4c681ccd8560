"""Exercises of the augmentation lesson: the two losses of a GAN, and the kernel distance."""

import torch
import torch.nn.functional as F

from course_lib.lesson.exercise import Exercise, expect


def gan_losses(real, fake):
    """(discriminator's loss, generator's loss) from logits of real and of made pictures."""
    discriminator = F.softplus(-real).mean() + F.softplus(fake).mean()
    return discriminator, F.softplus(-fake).mean()


def check_gan(candidate):
    """Compares with the formulas at several logits, also very large ones, and asks for slopes."""
    generator = torch.Generator().manual_seed(0)
    for scale in (0.0, 1.0, 3.0):
        real, fake = scale * torch.randn(2, 16, generator=generator)
        _compare(candidate, real, fake)
    _compare(candidate, torch.tensor([0.5, 2.0]), torch.tensor([-1.0, 0.3, 0.8]))
    for size in (40.0, 200.0):
        sure = candidate(torch.tensor([size]), torch.tensor([-size]))
        expect(
            all(torch.isfinite(torch.as_tensor(value)).all() for value in _pair(sure)),
            f"With logits of {size:g} and {-size:g} a loss is not a number: the sigmoid is exactly "
            "0 there and its logarithm infinite. Use softplus, or a loss that takes logits.",
        )
    fake = torch.tensor([-8.0], requires_grad=True)
    with torch.enable_grad():
        loss = _pair(candidate(torch.tensor([8.0]), fake))[1]
        (slope,) = torch.autograd.grad(loss, fake)
    expect(
        abs(slope.item() + 1) < 0.01,
        f"A picture that the discriminator sees through (logit -8) should still get a slope of "
        f"-1 towards being believed; yours gets {slope.item():.3g}.",
    )


def _compare(candidate, real, fake):
    kept = real.clone(), fake.clone()
    found = _pair(candidate(real, fake))
    expect(
        torch.equal(real, kept[0]) and torch.equal(fake, kept[1]),
        "Your function changes its input. Make new tensors instead.",
    )
    for name, mine, wanted in zip(
        ("discriminator", "generator"), found, gan_losses(real, fake), strict=True
    ):
        value = torch.as_tensor(mine)
        expect(value.ndim == 0, f"The {name}'s loss should be one number: take the mean.")
        expect(
            torch.allclose(value, wanted, atol=1e-4),
            f"The {name}'s loss for real {_round(real)} and made {_round(fake)} should be "
            f"{wanted.item():.3f}; yours is {value.item():.3f}.",
        )


def _round(values):
    return [round(value, 1) for value in values.tolist()[:3]]


def _pair(result):
    expect(result is not None, "Your function returns nothing. Is the `return` missing?")
    expect(
        isinstance(result, (tuple, list)) and len(result) == 2,
        "Return two losses: the discriminator's, then the generator's.",
    )
    return result


def kernel_distance(real, made):
    """Unbiased squared maximum mean discrepancy of features (n, d), (m, d); cubic kernel."""

    def kernel(x, y):
        return (x @ y.T / x.shape[1] + 1) ** 3

    def among(x):
        values = kernel(x, x)
        return (values.sum() - values.diagonal().sum()) / (len(x) * (len(x) - 1))

    return among(real) + among(made) - 2 * kernel(real, made).mean()


def check_kernel(candidate):
    """Compares with the formula, for sets of different size, and looks at the mean over draws."""
    generator = torch.Generator().manual_seed(0)
    for n, m, d in ((5, 5, 3), (6, 4, 8), (2, 9, 1)):
        real = torch.randn(n, d, generator=generator)
        made = 1 + 0.5 * torch.randn(m, d, generator=generator)
        kept = real.clone(), made.clone()
        found = candidate(real, made)
        expect(found is not None, "Your function returns nothing. Is the `return` missing?")
        found = torch.as_tensor(found)
        expect(found.ndim == 0, "The distance should be one number.")
        expect(
            torch.equal(real, kept[0]) and torch.equal(made, kept[1]),
            "Your function changes its input. Make new tensors instead.",
        )
        wanted = kernel_distance(real, made)
        expect(
            torch.allclose(found, wanted, rtol=1e-3, atol=1e-4),
            f"For {n} real and {m} made pictures with {d} features the distance should be "
            f"{wanted.item():.4f}; yours is {found.item():.4f}. Is a picture compared with itself?",
        )
    values = [candidate(*torch.randn(2, 4, 6, generator=generator)) for _ in range(400)]
    mean = float(torch.stack([torch.as_tensor(v) for v in values]).mean())
    expect(
        abs(mean) < 0.3,
        f"Two draws of 4 pictures from one and the same crowd should differ by 0 on average; yours "
        f"differ by {mean:.2f}. That is a bias.",
    )


def _by_bce(real, fake):
    """A right answer by another road: torch's cross-entropy of logits."""
    bce = F.binary_cross_entropy_with_logits
    one, none = torch.ones_like, torch.zeros_like
    return bce(real, one(real)) + bce(fake, none(fake)), bce(fake, one(fake))


def _by_logsigmoid(real, fake):
    return -F.logsigmoid(real).mean() - F.logsigmoid(-fake).mean(), -F.logsigmoid(fake).mean()


def _plain_logarithms(real, fake):
    p, q = real.sigmoid(), fake.sigmoid()
    return -p.log().mean() - (1 - q).log().mean(), -q.log().mean()


def _kernel_by_loops(real, made):
    """A right answer by another road: pair after pair."""

    def k(a, b):
        return (a @ b / len(a) + 1) ** 3

    def among(x):
        pairs = [k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j]
        return torch.stack(pairs).mean()

    return among(real) + among(made) - 2 * torch.stack([k(a, b) for a in real for b in made]).mean()


def _with_itself(real, made):
    def kernel(x, y):
        return (x @ y.T / x.shape[1] + 1) ** 3

    return kernel(real, real).mean() + kernel(made, made).mean() - 2 * kernel(real, made).mean()


EXERCISES = (
    Exercise(
        id="augmentation.gan_losses",
        title="The two losses of a GAN",
        hints=(
            "Each logit is turned into a probability by the sigmoid. The discriminator wants real "
            "ones near 1 and made ones near 0; the generator wants made ones near 1.",
            "-log σ(x) is softplus(-x), and -log(1 - σ(x)) is softplus(x). "
            "`torch.nn.functional.softplus` does not overflow.",
            "discriminator = softplus(-real).mean() + softplus(fake).mean(); the generator's loss "
            "is softplus of something, averaged: of what, so that it falls as `fake` rises?",
        ),
        checker=check_gan,
        answer=gan_losses,
        right=(_by_bce, _by_logsigmoid),
        wrong=(
            (lambda r, f: (gan_losses(r, f)[0], -F.softplus(f).mean()), "saturating generator"),
            (lambda r, f: gan_losses(r, f)[::-1], "returns them the wrong way round"),
            (lambda r, f: (gan_losses(f, r)[0], gan_losses(r, f)[1]), "real and made swapped"),
            (lambda r, f: (gan_losses(r, f)[0], F.softplus(f).mean()), "generator wants to fail"),
            (lambda r, f: (gan_losses(r, f)[0] / 2, gan_losses(r, f)[1]), "halves one of them"),
            (lambda r, f: (F.softplus(-r).mean(), F.softplus(-f).mean()), "never sees made ones"),
            (lambda r, f: (f.mean() - r.mean(), -f.mean()), "the Wasserstein losses"),
            (lambda r, f: (-gan_losses(r, f)[0], gan_losses(r, f)[1]), "turns the sign round"),
            (lambda r, f: gan_losses(r, f)[0], "returns only one loss"),
            (
                lambda r, f: (F.softplus(-r).sum() + F.softplus(f).sum(), F.softplus(-f).sum()),
                "adds up instead of averaging",
            ),
            (_plain_logarithms, "takes the logarithm of a sigmoid that is exactly 0"),
        ),
    ),
    Exercise(
        id="augmentation.kernel_distance",
        title="The kernel distance",
        hints=(
            "Three averages: of the kernel among real pictures, among made ones, and between the "
            "two crowds, the last with a weight of -2.",
            "x @ y.T holds the scalar products of all pairs. Among one crowd, a picture must not "
            "be compared with itself: leave out the diagonal.",
            "values = kernel(x, x); (values.sum() - values.diagonal().sum()) / (n * (n - 1)) is "
            "the average among one crowd of n; between the crowds a plain mean() is right.",
        ),
        checker=check_kernel,
        answer=kernel_distance,
        right=(_kernel_by_loops,),
        wrong=(
            (_with_itself, "compares pictures with themselves: biased"),
            (lambda x, y: kernel_distance(x, y) ** 0.5, "takes the root"),
            (lambda x, y: (x.mean(0) - y.mean(0)).square().sum(), "compares only the means"),
            (lambda x, y: -kernel_distance(x, y), "turns the sign round"),
            (lambda x, y: kernel_distance(x, y).clamp(min=0), "cuts negative values off"),
            (lambda x, y: kernel_distance(x * x.shape[1] ** 0.5, y * y.shape[1] ** 0.5), "no / d"),
            (lambda x, y: kernel_distance(y, y), "compares a crowd with itself"),
        ),
    ),
)
