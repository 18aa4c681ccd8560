"""Reconstruction of MR from few samples of k-space (survey section 2.1.3).

An MR scanner samples k-space, line by line, and time goes with the number of lines. A case is a
complex picture (`target`), of which only a part of k-space is measured, with noise (`kspace`, zero
where `mask` is zero). A data set's name says how it is sampled, and how many times fewer points
are measured than the picture has:

    brain/cartesian_x4, brain/cartesian_x8    random lines, dense in the middle (2D scans)
    brain/gaussian_x5, brain/poisson_x5       single points (3D scans have two phase directions)
    brain/radial_x6                           spokes, on the Cartesian grid

T1 brains are rendered from the label maps of six donors, each in one part only, with a smooth phase
and noise of their own: that picture is the truth. A second test group has the measured average
brain MNI152, whose phase is simulated, and which is smoother than any one brain. Truth and
reconstruction share one grid, as everywhere in this field: the discrete Fourier transform is exact
for both, which flatters all methods alike.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Batch, Cases, join, random_index
from course_lib.data import own
from course_lib.data.volume import Volume
from course_lib.errors import CourseError
from course_lib.metrics import image as image_metrics
from course_lib.metrics import texture
from course_lib.physics import kspace_masks as masks
from course_lib.physics import mr
from course_lib.tasks.base import Metric, Panel, Plan, Splits, Task

SNR = 40.0  # of the picture's brightest tissue, if all of k-space were measured
FIELD_MM = 224.0
PATTERNS: dict[str, Callable] = {
    "cartesian": masks.cartesian_mask,
    "gaussian": masks.gaussian_mask,
    "poisson": masks.poisson_disc_mask,
    "radial": masks.radial_mask,
}
ACQUISITIONS = ("cartesian_x4", "cartesian_x8", "gaussian_x5", "poisson_x5", "radial_x6")
TRAIN_DONORS = ("donor-9861", "donor-10021", "donor-12876")
VALIDATION_DONORS, TEST_DONORS = ("donor-14380",), ("donor-15496", "donor-15697")
OTHER_DONORS, AVERAGE = "other donors, rendered", "average brain, measured"


@dataclass(frozen=True)
class Size:
    """Pixels along a side; slices to train on, to validate, of each test subject; how many masks
    training draws from."""

    pixels: int
    training: int
    validation: int
    test: int
    masks: int


SIZES = {
    "smoke": Size(64, 6, 2, 1, 4),
    "class": Size(128, 150, 6, 6, 48),
    "full": Size(256, 1500, 24, 24, 512),
}


def parse(dataset: str) -> tuple[str, float]:
    """(pattern, acceleration) from a data set's name."""
    pattern, _, factor = dataset.rpartition("/")[2].partition("_x")
    return pattern, float(factor)


@lru_cache(maxsize=2)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """Renders brains and samples their k-space. The seed decides deformations, masks and noise; who
    is in which part is fixed. The latest cases are kept: a lesson asks for the same ones often."""
    size, how = SIZES[profile], (*parse(dataset), SIZES[profile], seed)

    def donors(names: tuple[str, ...], count: int, group: str) -> Cases:
        from course_lib.data.anatomy import population

        drawn = population(
            count, 2, size.pixels, ("t1",), zlib.crc32(f"{seed}/{group}".encode()),
            site="B", subjects=names, phase=True,
        )  # fmt: skip
        named = [f"{c}/{k}" for k, c in enumerate(drawn.case)]
        return _sampled(drawn["t1_complex"], named, drawn.subject, group, *how)

    tests = [donors((name,), size.test, OTHER_DONORS) for name in TEST_DONORS]
    return Splits(
        train=donors(TRAIN_DONORS, size.training, "training"),
        validation=donors(VALIDATION_DONORS, size.validation, "validation"),
        test=join([*tests, _volume(_average(), size.test, AVERAGE, *how)]),
    )


def _average() -> Volume:
    from course_lib.data.sets import brain_mni

    return brain_mni.load()


def own_cases(data: own.OwnData, profile: str, seed: int) -> Splits:
    """The user's MR volumes (`Scans`, magnitudes), split by subject, sampled as `cartesian_x4` with
    a simulated phase.

    Raises CourseError for CT: its pictures do not come from k-space.
    """
    own.expect(data, own.Scans, "reconstruction_mr")
    if ct := [volume.subject for volume in data.volumes if volume.unit == "HU"]:
        raise CourseError(f"reconstruction_mr needs MR magnitudes, but {ct[0]} holds HU (CT).")
    size, how = SIZES[profile], ("cartesian", 4.0, SIZES[profile], seed)
    members = parts([volume.subject for volume in data.volumes])

    def part(name: str, count: int, group: str) -> Cases:
        chosen = [data.volumes[i] for i in members[name]]
        return join([_volume(volume, count, group, *how) for volume in chosen])

    return Splits(
        train=part("train", -(-size.training // len(members["train"])), "training"),
        validation=part("validation", size.validation, "validation"),
        test=part("test", size.test, "other subjects"),
    )


def _volume(
    volume: Volume, count: int, group: str, pattern: str, factor: float, size: Size, seed: int
) -> Cases:
    """Axial slices from the middle half of a volume of magnitudes, on the common grid, with a
    simulated phase."""
    depth = len(volume.image)
    rows = [int(depth * (0.3 + 0.4 * (k + 0.5) / count)) for k in range(count)]
    rows = list(dict.fromkeys(rows))
    image = torch.from_numpy(volume.image[rows])[:, None]
    pixel_mm = max(FIELD_MM, *(n * mm for n, mm in zip(
        image.shape[2:], volume.spacing_mm[1:], strict=True))) / size.pixels  # fmt: skip
    extent = [
        round(n * mm / pixel_mm)
        for n, mm in zip(image.shape[2:], volume.spacing_mm[1:], strict=True)
    ]
    image = F.interpolate(image, size=extent, mode="bilinear", antialias=True).clamp_min(0)
    top, left = ((size.pixels - length) // 2 for length in extent)
    image = F.pad(image, (left, size.pixels - extent[1] - left, top, size.pixels - extent[0] - top))
    image = image / torch.quantile(image, 0.995).clamp_min(1e-6)
    generator = _generator(volume.subject, seed, "phase")
    phase = mr.smooth_phase((size.pixels, size.pixels), len(rows), generator)
    named = [f"{volume.subject}/z{z:03d}" for z in rows]
    subjects = [volume.subject] * len(rows)
    return _sampled(torch.polar(image, phase), named, subjects, group, pattern, factor, size, seed)


def _sampled(
    target: Tensor,
    case: list[str],
    subject: list[str],
    group: str,
    pattern: str,
    factor: float,
    size: Size,
    seed: int,
) -> Cases:
    """Complex pictures (N, 1, H, W) with what a scanner measures of them."""
    generator = _generator(f"{group}/{subject[0]}", seed, pattern)
    count, shape = len(target), (size.pixels, size.pixels)
    different = min(count, size.masks)
    mask = PATTERNS[pattern](shape, factor, different, generator)
    mask = mask[torch.arange(count) % different]
    kspace = mr.add_noise(mr.forward(target, mask), mask, SNR, generator)
    return Cases(
        tensors={
            "kspace": kspace,
            "mask": mask,
            "zero_filled": mr.ifft2c(kspace),
            "target": target,
            "region": _head(target.abs()),
        },
        case=case,
        subject=subject,
        group=[group] * count,
        spacing_mm=torch.full((count, 2), FIELD_MM / size.pixels),
        provenance={
            "target": "rendered from measured label maps; volumes: measured magnitude, simulated "
            "phase",
            "kspace": "simulated",
        },
    )


def _head(magnitude: Tensor) -> Tensor:
    """The rectangle (top, left, bottom, right) around what is brighter than a tenth of the
    brightest, (N, 4): outside lies air, which is easy to get right."""
    inside = magnitude[:, 0] > 0.1 * magnitude.amax((1, 2, 3))[:, None, None]
    boxes = []
    for one in inside:
        rows, columns = one.any(1).nonzero()[:, 0], one.any(0).nonzero()[:, 0]
        boxes.append([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1])
    return torch.tensor(boxes)


def _generator(word: str, seed: int, pattern: str) -> torch.Generator:
    return torch.Generator().manual_seed(
        zlib.crc32(f"reconstruction_mr/{word}/{pattern}/{seed}".encode())
    )


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """Random pictures, mirrored at random, each sampled by a random one of the masks with new
    noise: no network sees the same measurement twice."""
    target = train["target"][random_index(train, count, generator)]
    mask = train["mask"][random_index(train, count, generator)]
    mirrored = (torch.rand(count, generator=generator) < 0.5).to(target.device)
    target = torch.where(mirrored[:, None, None, None], target.flip(3), target)
    kspace = mr.add_noise(mr.forward(target, mask), mask, SNR, generator)
    return {"kspace": kspace, "mask": mask, "zero_filled": mr.ifft2c(kspace), "target": target}


def score(prediction: Tensor, batch: Batch) -> dict[str, Tensor]:
    """PSNR, SSIM, NMSE and edges of magnitudes inside the head; disagreement with the data."""
    output, truth = prediction.abs(), batch["target"].abs()
    region, bright = batch["region"], truth.amax((1, 2, 3))
    difference = batch["mask"] * mr.fft2c(prediction) - batch["kspace"]
    residual = difference.flatten(1).norm(dim=1) / batch["kspace"].flatten(1).norm(dim=1)
    return {
        "psnr": image_metrics.psnr(output, truth, bright, region),
        "ssim": image_metrics.ssim(output, truth, bright, region),
        "nmse": image_metrics.nmse(output, truth, region),
        "edge_sharpness": texture.edge_sharpness(output, truth),
        "data_residual": 100 * residual,
    }


def pictures(prediction: Tensor, batch: Batch) -> dict[str, Panel]:
    """Magnitudes: zero-filled, output, truth, and output minus truth."""
    given, output, truth = (
        x.abs()[:, 0] for x in (batch["zero_filled"], prediction, batch["target"])
    )
    window = (0.0, 1.1)
    return {
        "input": Panel(given, "grey", window, "a.u.", shared=True),
        "output": Panel(output, "grey", window, "a.u.", shared=False),
        "truth": Panel(truth, "grey", window, "a.u.", shared=True),
        "error": Panel(output - truth, "signed", (-0.3, 0.3), "a.u.", shared=False),
    }


TASK = Task(
    id="reconstruction_mr",
    title="Reconstruction of MR from few samples",
    survey="2.1.3",
    headline="psnr",
    metrics={
        "psnr": Metric(
            "dB", "higher", "Peak signal-to-noise ratio of the magnitude; peak: the truth's own."
        ),
        "ssim": Metric("", "higher", "Structural similarity of the magnitude, Gaussian 1.5."),
        "nmse": Metric("", "lower", "Squared error of the magnitude over its squared size."),
        "edge_sharpness": Metric(
            "", "higher", "Gradients at the truth's edges, relative to the truth's; below 1: blur."
        ),
        "data_residual": Metric(
            "%",
            "lower",
            "How far the picture's k-space differs from what was measured. The truth has one too, "
            "the noise: far below it, noise was fitted.",
        ),
    },
    sources={f"brain/{how}": ("brain_donors", "brain_mni") for how in ACQUISITIONS},
    plans={
        "smoke": Plan(steps=6, batch=2, evaluations=2),
        "class": Plan(steps=300, batch=2),
        "full": Plan(steps=50_000, batch=8, evaluations=40),
    },
    make=make,
    sample=sample,
    score=score,
    pictures=pictures,
    own=own_cases,
    lesson="01_restoration/04_mr_reconstruction",
)
