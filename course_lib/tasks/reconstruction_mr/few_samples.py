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
from functools import lru_cache

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts, join, random_index
from course_lib.metrics import image as image_metrics
from course_lib.metrics import texture
from course_lib.physics import mr
from course_lib.tasks.base import PARTS, Field, Metric, Panel, Plan, Question, Splits
from course_lib.tasks.reconstruction_mr.scans import (
    SIZES,
    SNR,
    Scan,
    sampled,
    varied,
    volume_cases,
)

ACQUISITIONS = ("cartesian_x4", "cartesian_x8", "gaussian_x5", "poisson_x5", "radial_x6")
TRAIN_DONORS = ("donor-9861", "donor-10021", "donor-12876")
VALIDATION_DONORS, TEST_DONORS = ("donor-14380",), ("donor-15496", "donor-15697")
OTHER_DONORS, AVERAGE = "other donors, rendered", "average brain, measured"


def parse(dataset: str) -> tuple[str, float]:
    """(pattern, acceleration) from a data set's name."""
    pattern, _, factor = dataset.rpartition("/")[2].partition("_x")
    return pattern, float(factor)


@lru_cache(maxsize=2)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """Renders brains and samples their k-space. The seed decides deformations, masks and noise; who
    is in which part is fixed. The latest cases are kept: a lesson asks for the same ones often."""
    from course_lib.data.sets import brain_mni

    size = SIZES[profile]
    scan = Scan(*parse(dataset), size, seed)
    tests = [donors((name,), size.test, OTHER_DONORS, scan) for name in TEST_DONORS]
    return Splits(
        train=donors(TRAIN_DONORS, size.training, "training", scan),
        validation=donors(VALIDATION_DONORS, size.validation, "validation", scan),
        test=join([*tests, volume_cases(brain_mni.load(), size.test, AVERAGE, scan)]),
    )


def donors(names: tuple[str, ...], count: int, group: str, scan: Scan) -> Cases:
    """Brains of some donors, rendered as T1 with a phase, and what a scanner measures of them."""
    from course_lib.data.anatomy import population

    drawn = population(
        count,
        size=scan.size.pixels,
        contrasts=("t1",),
        seed=zlib.crc32(f"{scan.seed}/{group}".encode()),
        site="B",
        subjects=names,
        phase=True,
    )
    named = [f"{c}/{k}" for k, c in enumerate(drawn.case)]
    pixel_mm = float(drawn.spacing_mm[0, 0])
    return sampled(drawn["t1_complex"], named, drawn.subject, group, pixel_mm, scan)


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """Random pictures, varied at random (`scans.varied`), each sampled by a random one of the masks
    with new noise: no network sees the same measurement twice."""
    target = varied(train["target"][random_index(train, count, generator)], generator)
    mask = train["mask"][random_index(train, count, generator)]
    kspace = mr.add_noise(mr.forward(target, mask), mask, SNR, generator)
    return {"kspace": kspace, "mask": mask, "zero_filled": mr.ifft2c(kspace), "target": target}


def score(prediction: Tensor, batch: Batch, facts: Facts) -> dict[str, Tensor]:
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


def truth(batch: Batch, facts: Facts) -> Tensor:
    """The answer of who knows the truth."""
    return batch["target"]


def pictures(prediction: Tensor, batch: Batch, facts: Facts) -> dict[str, Panel]:
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


FIELDS = {
    "kspace": Field(
        "N 1 H W", "a.u.", "the samples, 0 where none was taken: the input", dtype="complex64"
    ),
    "mask": Field("N 1 H W", "", "1 where a sample was taken, else 0"),
    "zero_filled": Field(
        "N 1 H W", "a.u.", "the picture of these samples alone", dtype="complex64"
    ),
    "target": Field(
        "N 1 H W", "a.u.", "the picture that was scanned", dtype="complex64", answer=True
    ),
    "region": Field(
        "N 4", "pixels", "top, left, bottom, right of what is scored", PARTS, dtype="int64"
    ),
}

METRICS = {
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
}

QUESTION = Question(
    id="few_samples",
    title="Reconstruction of MR from few samples",
    fields=FIELDS,
    facts={
        "dims": "2: slices",
        "channels": "1, complex",
        "pattern": "how k-space is sampled: cartesian, gaussian, poisson or radial",
        "acceleration": "how many times fewer points are measured than the picture has",
    },
    headline="psnr",
    metrics=METRICS,
    sources={f"brain/{how}": ("brain_donors", "brain_mni") for how in ACQUISITIONS},
    plans={
        "smoke": Plan(steps=6, batch=2, evaluations=2),
        "class": Plan(steps=300, batch=2, seconds=60),
        "long": Plan(steps=4500, batch=2, evaluations=12, seconds=900),
        "full": Plan(steps=50_000, batch=8, evaluations=40),
    },
    make=make,
    sample=sample,
    score=score,
    pictures=pictures,
    truth=truth,
)
