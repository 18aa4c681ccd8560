"""How far generated pictures are from real ones as a crowd, in a space of features.

All take features (n, d), one row per picture, of real and of generated pictures from the same
pretrained network. No distance here knows anatomy: it says that textures and shapes occur as often
as in the real set, not that a picture is right.

The numbers depend on the network, and the Fréchet distance on how many pictures there are: it is
biased upwards by about a constant over n, so two methods may be compared only at equal n. Use
`kernel_distance`, which has no bias, or `frechet_distance_unbiased` for small sets.

A NaN feature gives NaN.
"""

import torch
from torch import Tensor

from course_lib.errors import CourseError


def frechet_distance(real: Tensor, generated: Tensor) -> Tensor:
    """Fréchet distance of two Gaussians (`frechet_distance`, squared feature units, lower is
    better, ideal 0); FID when the features are those of Inception.

    ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2·(Σ₁Σ₂)^½). With centred features X₁, X₂ the last trace is the sum
    of the singular values of X₁·X₂ᵀ / √((n₁ − 1)(n₂ − 1)): no square root of a d × d matrix, and
    exact also where n < d.

    Returns a scalar. Two samples of one distribution do not score 0 but about const/n: see the
    module.

    Source: Heusel et al. 2017, arXiv 1706.08500; bias: Chong & Forsyth 2020, arXiv 1911.07023.
    """
    real, generated = _pair(real, generated)
    if not (real.isfinite().all() and generated.isfinite().all()):
        return real.new_tensor(torch.nan)
    first, second = real - real.mean(0), generated - generated.mean(0)
    first, second = (x / (len(x) - 1) ** 0.5 for x in (first, second))
    # Work in the smaller of (n₁, n₂) and (d, d): R₁·R₂ᵀ has the singular values of X₁·X₂ᵀ.
    if min(len(first), len(second)) > first.shape[1]:
        first, second = torch.linalg.qr(first).R, torch.linalg.qr(second).R
    cross = torch.linalg.svdvals(first @ second.T).sum()
    means = (real.mean(0) - generated.mean(0)).square().sum()
    return (means + first.square().sum() + second.square().sum() - 2 * cross).clamp(min=0)


def frechet_distance_unbiased(
    real: Tensor, generated: Tensor, generator: torch.Generator, repeats: int = 20
) -> Tensor:
    """Fréchet distance extrapolated to infinitely many pictures (`frechet_distance_unbiased`,
    squared feature units, lower is better, ideal 0; may fall a little below 0 by chance).

    Distances of random subsets of n/4, n/3, n/2 and n pictures of both sets are fitted by
    a + b/n; a is returned. Removes the leading term of the bias, at the price of more variance.

    Arguments:
        real, generated: (n, d) each; the smaller n counts and must be at least 16.
        generator: draws the subsets, on the CPU.
        repeats: subsets per size.

    Source: Chong & Forsyth 2020, arXiv 1911.07023.
    """
    real, generated = _pair(real, generated)
    most = min(len(real), len(generated))
    if most < 16:
        raise CourseError(f"Extrapolation needs at least 16 pictures of each kind, got {most}.")
    sizes = [size for size in (most // 4, most // 3, most // 2, most) for _ in range(repeats)]
    distances = []
    for size in sizes:
        subsets = (x[torch.randperm(len(x), generator=generator)[:size]] for x in (real, generated))
        distances.append(frechet_distance(*subsets))
    inverse = 1 / torch.tensor(sizes, dtype=torch.float64)
    line = torch.stack([torch.ones_like(inverse), inverse], 1)
    return torch.linalg.lstsq(line, torch.stack(distances)[:, None]).solution[0, 0]


def kernel_distance(real: Tensor, generated: Tensor) -> Tensor:
    """Kernel distance (`kernel_distance`, no unit, lower is better, ideal 0; may fall a little
    below 0 by chance); KID when the features are those of Inception.

    Unbiased squared maximum mean discrepancy with k(x, y) = (x·y/d + 1)³:
    mean_{i≠j} k(xᵢ, xⱼ) + mean_{i≠j} k(yᵢ, yⱼ) − 2·mean k(xᵢ, yⱼ). Its expectation does not
    depend on the number of pictures.

    Source: Bińkowski et al. 2018, arXiv 1801.01401.
    """
    real, generated = _pair(real, generated)

    def within(x: Tensor) -> Tensor:
        values = _kernel(x, x)
        return (values.sum() - values.diagonal().sum()) / (len(x) * (len(x) - 1))

    return within(real) + within(generated) - 2 * _kernel(real, generated).mean()


def kernel_distance_per_case(real: Tensor, generated: Tensor) -> Tensor:
    """Each pair's share of the kernel distance, (n,); their mean is `kernel_distance`.

    Arguments:
        real, generated: (n, d) with equal n; row i of both makes pair i.

    Raises CourseError for sets of different size.
    """
    if len(real) != len(generated):
        raise CourseError(f"Shares need as many made as real pictures, got {len(generated)}.")
    first, second = _pair(real, generated)

    def within(x: Tensor) -> Tensor:
        values = _kernel(x, x)
        return (values.sum(1) - values.diagonal()) / (len(x) - 1)

    cross = _kernel(first, second)
    shares = within(first) + within(second) - cross.mean(0) - cross.mean(1)
    return shares.to(real)


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _pair(real: Tensor, generated: Tensor) -> tuple[Tensor, Tensor]:
    if real.ndim != 2 or generated.ndim != 2 or real.shape[1] != generated.shape[1]:
        raise CourseError(
            f"Features must be (n, d) with equal d, got {tuple(real.shape)} and "
            f"{tuple(generated.shape)}."
        )
    if min(len(real), len(generated)) < 2:
        raise CourseError("At least two pictures of each kind are needed.")
    return real.cpu().double(), generated.cpu().double()  # not every device has float64
