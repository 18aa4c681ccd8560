"""Times the library's own parts beside those of other libraries, in one run on one core.

    OMP_NUM_THREADS=1 python benchmarks/peers.py

Ours and its peers run in turns on the same tensors, so that busy neighbours slow all alike, and
processor time is counted. Each row says how far the answers differ. A peer that is not installed is
left out: `pip install kornia fastmri` adds them.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor

from course_lib.metrics import image, segmentation
from course_lib.parts.augment import Change
from course_lib.parts.registration.losses import local_ncc
from course_lib.physics import mr, phantoms
from course_lib.physics.ct import ParallelBeam

Work = Callable[[], Tensor]
# title, ours, peers by name; None where answers are not meant to be equal
Row = tuple[str, Work, dict[str, Work], bool]


def sampling(draw: torch.Generator) -> Row:
    """Masked Fourier transform of eight pictures, 256 x 256."""
    picture = torch.randn(8, 1, 256, 256, dtype=torch.complex64, generator=draw)
    mask = (torch.rand(1, 1, 1, 256, generator=draw) < 0.4).float().expand(1, 1, 256, 256)
    parts = torch.view_as_real(picture)

    def shifts() -> Tensor:
        turned = torch.fft.fft2(torch.fft.ifftshift(picture, dim=(-2, -1)), norm="ortho")
        return mask * torch.fft.fftshift(turned, dim=(-2, -1))

    def monai() -> Tensor:
        from monai.networks.blocks.fft_utils_t import fftn_centered_t

        return torch.view_as_complex(mask[..., None] * fftn_centered_t(parts, 2))

    def fastmri() -> Tensor:
        from fastmri import fft2c

        return torch.view_as_complex(mask[..., None] * fft2c(parts))

    peers = {"torch, two shifts": shifts, "monai": monai, "fastmri": fastmri}
    return "masked FFT, 8 x 256 x 256", lambda: mr.forward(picture, mask), peers, True


def surfaces(spacing: tuple[float, float, float]) -> Row:
    """HD95 with ASSD of two ellipsoids in 64 voxels a side."""
    z, y, x = np.indices((64, 64, 64)) - 31.5
    pair = (
        (z / 20) ** 2 + (y / 16) ** 2 + (x / 22) ** 2 < 1,
        ((z - 2) / 18) ** 2 + (y / 17) ** 2 + ((x + 2) / 21) ** 2 < 1,
    )
    one, other = (torch.from_numpy(mask)[None, None] for mask in pair)

    def monai() -> Tensor:
        from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance

        same = {"include_background": True, "spacing": spacing}
        far = compute_hausdorff_distance(one, other, percentile=95, **same)
        return torch.stack(
            [far, compute_average_surface_distance(one, other, **same, symmetric=True)]
        )

    def tree() -> Tensor:
        from scipy.ndimage import binary_erosion
        from scipy.spatial import KDTree

        points = [np.argwhere(mask & ~binary_erosion(mask)) * spacing for mask in pair]
        there = KDTree(points[1]).query(points[0])[0]
        back = KDTree(points[0]).query(points[1])[0]
        far = max(np.percentile(there, 95), np.percentile(back, 95))
        return torch.tensor([far, np.concatenate([there, back]).mean()]).view(2, 1, 1)

    def ours() -> Tensor:
        return torch.stack(segmentation.surface_distances_mm(one, other, spacing))

    mm = " x ".join(f"{side:g}" for side in spacing)
    return f"HD95 and ASSD, 64³, {mm} mm", ours, {"scipy, KD-tree": tree, "monai": monai}, True


def similarity(draw: torch.Generator) -> Row:
    """SSIM of sixteen pictures, 256 x 256, with the Gaussian window of 11 pixels."""
    target = torch.rand(16, 1, 256, 256, generator=draw)
    answer = (target + 0.1 * torch.randn(target.shape, generator=draw)).clamp(0, 1)

    def monai() -> Tensor:
        from monai.metrics.regression import SSIMMetric

        return SSIMMetric(2, data_range=1.0)(answer, target).flatten()

    def skimage() -> Tensor:
        from skimage.metrics import structural_similarity

        how = {"data_range": 1.0, "gaussian_weights": True, "use_sample_covariance": False}
        pairs = zip(answer[:, 0].numpy(), target[:, 0].numpy(), strict=True)
        return torch.tensor([structural_similarity(a, b, **how) for a, b in pairs])

    peers = {"skimage": skimage, "monai": monai}
    return "SSIM, 16 x 256 x 256", lambda: image.ssim(answer, target, 1.0), peers, True


def changes(draw: torch.Generator) -> Row:
    """Random turns, shifts, sizes and mirroring of 128 pictures, 28 x 28."""
    pictures = torch.rand(128, 1, 28, 28, generator=draw)
    change = Change(turn_degrees=15, shift_pixels=2, scale=0.1, shear=0, noise=0)

    def monai() -> Tensor:
        return torch.stack([each(picture) for picture in pictures])

    def kornia() -> Tensor:
        return many(pictures)

    peers: dict[str, Work] = {"monai": monai, "kornia": kornia}
    if find_spec("monai"):
        from monai.transforms import Compose, RandAffine, RandFlip

        affine = {"rotate_range": 0.26, "translate_range": (2, 2), "scale_range": 0.1}
        each = Compose([RandFlip(0.5), RandAffine(prob=1, padding_mode="reflection", **affine)])
    if find_spec("kornia"):
        from kornia import augmentation

        many = augmentation.AugmentationSequential(
            augmentation.RandomHorizontalFlip(),
            augmentation.RandomAffine(15, (0.07, 0.07), (0.9, 1.1), p=1, padding_mode="reflection"),
        )
    return "augmentation, 128 x 28 x 28", lambda: change(pictures, draw), peers, False


def correlation(draw: torch.Generator) -> Row:
    """Local correlation in windows of nine voxels a side, 64³."""
    one, other = torch.rand(2, 1, 1, 64, 64, 64, generator=draw)
    peers: dict[str, Work] = {"monai": lambda: -loss(one, other)}
    if find_spec("monai"):
        from monai.losses import LocalNormalizedCrossCorrelationLoss

        loss = LocalNormalizedCrossCorrelationLoss(kernel_size=9, kernel_type="rectangular")
    return "local correlation 9³, 64³", lambda: local_ncc(one, other), peers, False


def projections() -> list[Row]:
    """CT of eight pictures, 256 x 256, 180 views; scikit-image takes them one by one."""
    from skimage.transform import iradon, radon

    beam = ParallelBeam(256, 180)
    pictures = phantoms.rasterise(phantoms.shepp_logan(), 256).expand(8, 1, 256, 256).contiguous()
    sinograms, degrees = beam(pictures), beam.angles.numpy()
    planes, views = pictures[:, 0].double().numpy(), sinograms[:, 0].mT.double().numpy()

    def forward() -> Tensor:
        return torch.tensor(np.stack([radon(plane, degrees) for plane in planes]))

    def filtered() -> Tensor:
        return torch.tensor(np.stack([iradon(view, degrees, 256) for view in views]))

    size = "8 x 256 x 256, 180 views"
    return [
        (f"CT projection, {size}", lambda: beam(pictures), {"skimage": forward}, False),
        (f"CT by FBP, {size}", lambda: beam.fbp(sinograms), {"skimage": filtered}, False),
    ]


def timed(works: dict[str, Work], repeats: int) -> dict[str, tuple[float, float]]:
    """Name → median and shortest processor time in ms, of runs that take turns."""
    took: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repeats + 1):
        for name, work in works.items():
            start = time.process_time()
            work()
            if turn:  # the first one imports and warms up
                took[name].append(1000 * (time.process_time() - start))
    return {name: (statistics.median(ms), min(ms)) for name, ms in took.items()}


def main() -> None:
    """Prints the table, the peers of each part from the quickest to the slowest."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    options.add_argument("--repeats", type=int, default=21, help="runs of each; CT gets a fifth")
    repeats = options.parse_args().repeats
    torch.set_num_threads(1)
    draw = torch.Generator().manual_seed(0)
    rows = [sampling(draw), surfaces((1.0, 1.0, 1.0)), surfaces((3.0, 0.8, 0.8))]
    rows += [similarity(draw), changes(draw), correlation(draw), *projections()]
    print("| part | ours [ms] | best | peer | its ms | best | ours is faster by | differ by |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for title, ours, peers, equal in rows:
        there = {name: work for name, work in peers.items() if find_spec(name.split(",")[0])}
        took = timed({"ours": ours, **there}, repeats // 5 if "CT" in title else repeats)
        (usual, best), answer = took.pop("ours"), ours()
        for name, (its, shortest) in sorted(took.items(), key=lambda each: each[1]):
            apart = (
                f"{(there[name]().reshape(answer.shape) - answer).abs().max():.0e}" if equal else ""
            )
            print(
                f"| {title} | {usual:.2f} | {best:.2f} | {name} | {its:.2f} | {shortest:.2f} "
                f"| {its / usual:.1f} x | {apart} |"
            )


if __name__ == "__main__":
    main()
