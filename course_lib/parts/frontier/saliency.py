"""Where does a classifier look: maps of what speaks for a nodule, and ways to doubt them.

A map is made of the network's log odds s(x) = z₁(x) − z₀(x), whose slope does not vanish where the
probability is already near 1. Networks are `parts.resnet.ResNet` with two classes; images x are
(N, 1, H, W) as the network sees them (−1 black, 1 white), maps (N, 1, H, W), never negative.

MONAI has most of these maps for the probability of a class; they are written out here because each
is a few lines worth reading, and because importing MONAI takes six seconds.
"""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor

from course_lib.errors import CourseError
from course_lib.parts.resnet import ResNet
from course_lib.physics.ct_site import blurred

Map = Callable[[ResNet, Tensor], Tensor]
BLACK = -1.0


def log_odds(network: ResNet, image: Tensor) -> Tensor:
    """s(x) = z₁ − z₀, (N,)."""
    scores = network(image)
    return scores[:, 1] - scores[:, 0]


def _slope(network: ResNet, image: Tensor) -> Tensor:
    with torch.inference_mode(False), torch.enable_grad():
        leaf = image.detach().clone().requires_grad_()
        (slope,) = torch.autograd.grad(log_odds(network, leaf).sum(), leaf)
    return slope


def gradient(network: ResNet, image: Tensor) -> Tensor:
    """|∂s/∂x|: which pixels would change the answer most (Simonyan, Vedaldi & Zisserman 2014)."""
    return _slope(network, image).abs()


def smooth_grad(network: ResNet, image: Tensor, copies: int = 12, spread: float = 0.15) -> Tensor:
    """|mean over noisy copies of ∂s/∂x|: the gradient without its grain (Smilkov et al. 2017).

    `spread`: the noise, as a share of the range 2 between black and white.
    """
    generator = torch.Generator().manual_seed(0)
    total = torch.zeros_like(image)
    for _ in range(copies):
        noise = torch.randn(image.shape[1:], generator=generator).to(image)
        total += _slope(network, image + 2 * spread * noise)
    return (total / copies).abs()


def attributions(network: ResNet, image: Tensor, steps: int = 16) -> Tensor:
    """Integrated gradients with their sign: (x − x₀) · mean of ∂s/∂x on the way from x₀, black.

    Complete: they sum to s(x) − s(x₀), up to the steps (Sundararajan, Taly & Yan 2017, ICML).
    """
    start = torch.full_like(image, BLACK)
    middle = (torch.arange(steps) + 0.5) / steps
    total = sum(_slope(network, start + float(share) * (image - start)) for share in middle)
    return (image - start) * total / steps


def integrated_gradients(network: ResNet, image: Tensor) -> Tensor:
    """The size of `attributions`."""
    return attributions(network, image).abs()


def class_activation(features: Tensor, weights: Tensor) -> Tensor:
    """CAM: Σ_k w_k f_k, what each place adds to the score of a network that ends in a global mean
    and a linear layer (Zhou et al. 2016, CVPR, doi 10.1109/CVPR.2016.319).

    Arguments: features (N, K, h, w), weights (K,). Returns (N, 1, h, w), with its sign.
    """
    return torch.einsum("nkhw,k->nhw", features, weights)[:, None]


def cam(network: ResNet, image: Tensor) -> Tensor:
    """The positive part of `class_activation`, enlarged to the image."""
    with torch.no_grad():
        weights = network.head.weight[1] - network.head.weight[0]
        heat = class_activation(network.maps(image)[-1], weights)
    return network.cells()[-1].enlarged(heat, (image.shape[2], image.shape[3])).relu()


def grad_cam(network: ResNet, image: Tensor, stage: int = -1) -> Tensor:
    """relu(Σ_k α_k f_k), α_k the mean slope of s on map k: CAM for any layer.

    Selvaraju et al. 2017, ICCV, doi 10.1109/ICCV.2017.74.
    """
    with torch.inference_mode(False), torch.enable_grad():
        maps = network.stem(image.detach().clone())
        stages = list(network.stages)
        split = len(stages) + stage + 1 if stage < 0 else stage + 1
        for block in stages[:split]:
            maps = block(maps)
        maps = maps.detach().requires_grad_()
        after = maps
        for block in stages[split:]:
            after = block(after)
        scores = network.head(after.flatten(2).mean(2))
        (slope,) = torch.autograd.grad((scores[:, 1] - scores[:, 0]).sum(), maps)
    heat = (slope.mean((2, 3), keepdim=True) * maps.detach()).sum(1, keepdim=True)
    return network.cells()[stage].enlarged(heat, (image.shape[2], image.shape[3])).relu()


def occlusion(network: ResNet, image: Tensor, window: int = 12, step: int = 8) -> Tensor:
    """How much s falls when a square is covered with the image's mean, summed over all squares
    that cover a pixel (Zeiler & Fergus 2014, ECCV, doi 10.1007/978-3-319-10590-1_53)."""
    with torch.no_grad():
        before, heat = log_odds(network, image), torch.zeros_like(image)
        cover = image.mean((2, 3), keepdim=True)
        height, width = image.shape[2:]
        for top in range(0, height - window + step, step):
            for left in range(0, width - window + step, step):
                part = (..., slice(top, top + window), slice(left, left + window))
                covered = image.clone()
                covered[part] = cover
                heat[part] += (before - log_odds(network, covered)).view(-1, 1, 1, 1)
    return heat.relu()


MAPS: dict[str, Map] = {
    "gradient": gradient,
    "smooth_grad": smooth_grad,
    "integrated_gradients": integrated_gradients,
    "cam": cam,
    "grad_cam": grad_cam,
    "occlusion": occlusion,
}


def saliency(kind: str) -> Map:
    """One of `MAPS`. Raises CourseError for a name that does not exist."""
    if not isinstance(kind, str) or kind not in MAPS:
        raise CourseError(f"There is no map {kind!r}; there are: {', '.join(MAPS)}.")
    return MAPS[kind]


def randomised(network: ResNet, seed: int = 0, parts: int | None = None) -> ResNet:
    """A copy with fresh random weights in its last `parts` parts (head, stages from the last, stem;
    None: all). Source: Adebayo et al. 2018, NeurIPS (sanity checks)."""
    with torch.random.fork_rng(devices=[]), torch.inference_mode(False):
        copy = deepcopy(network).eval()
        order = [copy.head, *reversed(copy.stages), copy.stem]
        torch.manual_seed(seed)
        for part in order[:parts]:
            for layer in part.modules():
                if callable(reset := getattr(layer, "reset_parameters", None)):
                    reset()
    return copy


def curve(
    network: ResNet, image: Tensor, heat: Tensor, insert: bool = False, steps: int = 10
) -> Tensor:
    """Probabilities of a nodule (N, steps + 1) while pixels are blurred away, the map's highest
    first; with `insert` while they come back into the blurred image.

    Source: Petsiuk, Das & Saenko 2018, BMVC (RISE).
    """
    smooth = blurred(image, 5.0)
    start, goal = (smooth, image) if insert else (image, smooth)
    count = image[0].numel()
    order = heat.flatten(1).argsort(dim=1, descending=True, stable=True)
    rank = order.argsort(dim=1).view_as(image)
    with torch.no_grad():
        shares = [
            torch.sigmoid(log_odds(network, torch.where(rank < k * count / steps, goal, start)))
            for k in range(steps + 1)
        ]
    return torch.stack(shares, 1)
