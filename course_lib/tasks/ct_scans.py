"""What the CT tasks share: the patients, their split, the common grid, exposure, scores, pictures.

Not a task itself. `chest_ct` (one patient) gives training and validation blocks of slices and, with
gaps of 10 mm, a held-out block that is reported apart. The four patients of `lung_tumours` are only
ever tested on. Their images are crops of 134 to 200 mm; so that photons cross as much tissue as in
a whole chest, each crop is put into an elliptical chest of 340 x 250 mm (a soft-tissue wall of
30 mm around a mixture of lung and soft tissue, -500 HU; then the line integrals reach as high as in
`chest_ct`), and only the crop is scored. A network that has only ever seen whole slices would be
surprised by that, so training sees both: copies of its slices, turned, scaled and mirrored
(`moved`), some of them cropped and put into the same made-up chest. No test patient is used for it.
"""

import zlib

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.data.volume import Volume
from course_lib.metrics import image as image_metrics
from course_lib.tasks.base import Metric, Panel

FIELD_MM = 360.0
BODY_MM, WALL_MM, INTERIOR_HU = (250.0, 340.0), 30.0, -500.0
CROP_MM = (134.0, 200.0)
HU_RANGE = (-1000.0, 1000.0)
LUNG_WINDOW, SOFT_WINDOW = (-1350.0, 150.0), (-160.0, 240.0)
OTHER_PATIENTS, SAME_PATIENT = "other patients", "same patient, held-out block"

# Blocks of chest_ct in slices of 2.5 mm. Four slices (10 mm) lie unused between two blocks.
TRAIN_BLOCKS, VALIDATION_BLOCK, TEST_BLOCK = ((8, 62), (96, 126)), (66, 74), (78, 92)

METRICS = {
    "psnr": Metric(
        "dB", "higher", "Peak signal-to-noise ratio over -1000 to 1000 HU (range 2000 HU)."
    ),
    "ssim": Metric("", "higher", "Structural similarity over -1000 to 1000 HU, Gaussian 1.5."),
    "rmse_soft": Metric(
        "HU", "lower", "Root mean square error inside the soft-tissue window, -160 to 240 HU."
    ),
    "rmse_lung": Metric(
        "HU", "lower", "Root mean square error inside the lung window, -1350 to 150 HU."
    ),
}


def training_slices(every: int = 1) -> list[int]:
    """Each `every`-th slice of the training blocks."""
    return [z for start, end in TRAIN_BLOCKS for z in range(start, end, every)]


def spread(start: int, end: int, count: int) -> list[int]:
    """`count` slices spread evenly over a block."""
    return [round(start + (end - 1 - start) * (i + 0.5) / count) for i in range(count)]


def middle(start: int, end: int, count: int) -> list[int]:
    """`count` adjacent slices in the middle of a block, so that each has neighbours."""
    first = (start + end - count) // 2
    return list(range(first, first + count))


def tumour_range(volume: Volume) -> tuple[int, int]:
    """The slices that show the tumour."""
    rows = volume.labels["gtv"].any(axis=(1, 2)).nonzero()[0]
    return int(rows[0]), int(rows[-1]) + 1


def generator(task: str, seed: int, part: str) -> torch.Generator:
    """The randomness of one part of one task's data, the same on every machine."""
    return torch.Generator().manual_seed(zlib.crc32(f"{task}/{part}/{seed}".encode()))


def exposure(line_integrals: Tensor, arriving: float) -> Tensor:
    """Automatic exposure control: the photons per ray I₀ to send, (N, 1, 1, 1), so that `arriving`
    come through where a slice is thickest: I₀ = arriving · exp(p₉₅), p₉₅ the 95th percentile of
    its rays (N, 1, views, detectors)."""
    thick = torch.stack([torch.quantile(one, 0.95) for one in line_integrals.flatten(1)])
    return arriving * thick.exp().view(-1, 1, 1, 1)


def on_grid(
    volume: Volume, slices: list[int], pixels: int, pixel_mm: float, chest: bool = True
) -> tuple[Tensor, Tensor]:
    """Slices on the common square grid, (n, 1, pixels, pixels) HU, and the scored rectangle
    (top, left, bottom, right). What is smaller than the grid is put into the elliptical chest, or
    else into air."""
    image = torch.from_numpy(volume.image[slices])[:, None]
    extent = [round(image.shape[i] * volume.spacing_mm[i - 1] / pixel_mm) for i in (2, 3)]
    image = F.interpolate(image, size=extent, mode="bilinear", antialias=True).clamp(*HU_RANGE)
    height, width = (min(length, pixels) for length in extent)
    top, left = ((have - keep) // 2 for have, keep in zip(extent, (height, width), strict=True))
    image = image[..., top : top + height, left : left + width]
    top, left = (pixels - height) // 2, (pixels - width) // 2
    if (height, width) == (pixels, pixels):
        return image, _body(image)
    around = elliptical_chest(pixels, pixel_mm) if chest else torch.full((1, 1, 1, 1), HU_RANGE[0])
    whole = around.expand(len(slices), 1, pixels, pixels).clone()
    whole[..., top : top + height, left : left + width] = image
    return whole, torch.tensor([top, left, top + height, left + width])


def moved(
    image: Tensor, pixel_mm: float, cropped: bool, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Each slice (N, 1, H, W) HU turned by up to 15 degrees, scaled by up to 10 % and mirrored at
    random; if `cropped`, a rectangle of it in the made-up chest of the test crops. And the scored
    rectangles, (N, 4): the crops, else all."""
    count, pixels = len(image), image.shape[-1]
    turn, scale, mirror = torch.rand(3, count, generator=generator)
    turn, scale = torch.deg2rad(30 * turn - 15), 0.9 + 0.2 * scale
    cosine, sine = scale * turn.cos(), scale * turn.sin()
    side = torch.where(mirror < 0.5, -1.0, 1.0)
    zero = torch.zeros(count)
    matrix = torch.stack(
        [torch.stack([side * cosine, -sine, zero], 1), torch.stack([side * sine, cosine, zero], 1)],
        1,
    )
    grid = F.affine_grid(matrix, list(image.shape), align_corners=False)
    image = F.grid_sample(image + 1000, grid, align_corners=False) - 1000
    if cropped:
        return _in_chest(image, pixel_mm, generator)
    return image, torch.tensor([[0, 0, pixels, pixels]]).expand(count, 4)


def _in_chest(image: Tensor, pixel_mm: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A rectangle of each slice, as large as those of the test patients, from anywhere in the
    middle of the body, put into the middle of the made-up chest; and where it lies there."""
    count, pixels = len(image), image.shape[-1]
    low, high = (length / pixel_mm for length in CROP_MM)
    crops, regions = elliptical_chest(pixels, pixel_mm).repeat(count, 1, 1, 1), []
    for crop, whole in zip(crops, image, strict=True):
        height, width, row, column = torch.rand(4, generator=generator).tolist()
        height, width = (round(low + share * (high - low)) for share in (height, width))
        row, column = (
            round(pixels / 2 + (share - 0.5) * pixels / 3 - length / 2)
            for share, length in ((row, height), (column, width))
        )
        row, column = max(0, min(row, pixels - height)), max(0, min(column, pixels - width))
        top, left = (pixels - height) // 2, (pixels - width) // 2
        patch = whole[:, row : row + height, column : column + width]
        crop[:, top : top + height, left : left + width] = patch
        regions.append([top, left, top + height, left + width])
    return crops, torch.tensor(regions)


def elliptical_chest(pixels: int, pixel_mm: float) -> Tensor:
    """An elliptical chest, (1, 1, pixels, pixels) HU: air, a wall of soft tissue, the interior."""
    line = (torch.arange(pixels) - (pixels - 1) / 2) * pixel_mm

    def inside(margin: float) -> Tensor:
        half_height, half_width = (length / 2 - margin for length in BODY_MM)
        return (line[:, None] / half_height) ** 2 + (line[None] / half_width) ** 2 <= 1

    body = torch.where(inside(0), 0.0, -1000.0)
    return torch.where(inside(WALL_MM), INTERIOR_HU, body)[None, None]


def _body(image: Tensor) -> Tensor:
    """The rectangle that holds all pixels above -300 HU in any slice; all, where there are none."""
    inside = (image > -300).any(dim=0)[0]
    inside |= ~inside.any()
    rows, columns = inside.any(1).nonzero()[:, 0], inside.any(0).nonzero()[:, 0]
    return torch.tensor([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1])


def scores(prediction: Tensor, target: Tensor, region: Tensor) -> dict[str, Tensor]:
    """The scores of `METRICS`, (N,) each, of HU (N, 1, H, W) inside the scored rectangles."""
    prediction, target = (x.clamp(*HU_RANGE) for x in (prediction, target))
    data_range = HU_RANGE[1] - HU_RANGE[0]
    return {
        "psnr": image_metrics.psnr(prediction, target, data_range, region),
        # SSIM compares brightness too, so its zero must be black: air, not water.
        "ssim": image_metrics.ssim(
            prediction - HU_RANGE[0], target - HU_RANGE[0], data_range, region
        ),
        "rmse_soft": image_metrics.rmse(prediction, target, SOFT_WINDOW, region),
        "rmse_lung": image_metrics.rmse(prediction, target, LUNG_WINDOW, region),
    }


def pictures(given: Tensor, prediction: Tensor, truth: Tensor, region: Tensor) -> dict[str, Panel]:
    """The scored region's middle, 200 mm: input, output, truth, and output minus truth."""
    pixels = prediction.shape[-1]
    side = min(pixels, round(200 / FIELD_MM * pixels))
    centre = (region[:, :2] + region[:, 2:]) // 2
    corner = (centre - side // 2).clamp(0, pixels - side)
    span = torch.arange(side, device=prediction.device)
    rows, columns = corner[:, :1] + span, corner[:, 1:] + span
    case = torch.arange(len(prediction), device=prediction.device)[:, None, None]

    def crop(image: Tensor) -> Tensor:
        return image[case, 0, rows[:, :, None], columns[:, None, :]]

    output, wanted, window = crop(prediction), crop(truth), (-800.0, 400.0)
    return {
        "input": Panel(crop(given), "grey", window, "HU", shared=True),
        "output": Panel(output, "grey", window, "HU", shared=False),
        "truth": Panel(wanted, "grey", window, "HU", shared=True),
        "error": Panel(output - wanted, "signed", (-150.0, 150.0), "HU", shared=False),
    }
