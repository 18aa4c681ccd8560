"""Is the simulated like the real? Prints numbers and draws the data cards' pictures.

Run `python benchmarks/anatomy_realism.py FOLDER` (FOLDER is usually `datasets/cards`). It compares
intensities, edges and noise of rendered cases with `brain_mni` and `chest_ct`, at equal pixel size,
and puts real and simulated side by side.
"""

import sys
from itertools import chain
from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.stats import wasserstein_distance

from course_lib.data import anatomy, lesions
from course_lib.data.sets import brain_mni, chest_ct, lidc

OUTER = ("background", "skin", "fat", "muscle", "compact_bone", "marrow")


def edges(image: np.ndarray) -> np.ndarray:
    """Gradient magnitude per pixel."""
    return np.hypot(*np.gradient(image))


def noise_spectrum(blocks: list[np.ndarray]) -> np.ndarray:
    """Radial noise power in five bands up to the Nyquist frequency, sum 1."""
    size = blocks[0].shape[0]
    window = np.outer(np.hanning(size), np.hanning(size))
    flat = [block - ndimage.gaussian_filter(block, 5) for block in blocks]
    power = sum(np.abs(np.fft.fft2(block * window)) ** 2 for block in flat)
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(size)] * 2))
    bands = np.array([power[(frequency * 10).astype(int) == k].mean() for k in range(5)])
    return bands / bands.sum()


def show(name: str, values: np.ndarray, digits: int, percent=(5, 25, 50, 75, 95)) -> None:
    """One line of percentiles."""
    print(f"{name:>34}", np.percentile(values, percent).round(digits))


def brain() -> None:
    """T1 inside the brain, white matter = 1, at 1.75 mm."""
    mni, pixel = brain_mni.load(), 1.75
    number = anatomy.labels("brain")
    outer = [number[name] for name in OUTER]
    values: dict[str, list] = {"real": [], "rendered": []}
    for z in range(-20, 56, 4):
        k = round(z - mni.origin_mm[0])
        parts = (ndimage.gaussian_filter(mni.image[k], 0.7), mni.image[k] > 0, mni.labels["wm"][k])
        image, inside, white = (ndimage.zoom(np.float32(p), 1 / pixel, order=1) for p in parts)
        values["real"].append((image / np.median(image[white > 0.95]), inside > 0.9))
    cases = anatomy.population(24, contrasts=("t1",), seed=3)
    for image, label in zip(cases["t1"][:, 0].numpy(), cases["label"][:, 0].numpy(), strict=True):
        white = np.median(image[label == number["white_matter"]])
        values["rendered"].append((image / white, ~np.isin(label, outer)))
    found = {}
    for name, images in values.items():
        cores = [ndimage.binary_erosion(inside, iterations=2) for _, inside in images]
        found[name] = np.concatenate([i[c] for (i, _), c in zip(images, cores, strict=True)])
        slope = [edges(i)[c] for (i, _), c in zip(images, cores, strict=True)]
        show(f"T1 {name}, white matter = 1", found[name], 2)
        show(f"T1 {name}, edges 50/90/99", np.concatenate(slope), 3, (50, 90, 99))
    print(f"{'distance of the histograms':>34}", round(wasserstein_distance(*found.values()), 3))


def chest() -> None:
    """CT at 1.4 mm: intensities, edges, and noise in the liver."""
    scan, number = chest_ct.load(), anatomy.labels("chest")
    cases = anatomy.population(24, contrasts=("ct",), region="chest", size=256, seed=2)
    real = [scan.image[k].reshape(256, 2, 256, 2).mean((1, 3)) for k in range(16, 108, 4)]
    livers = [scan.labels["organs"][k, ::2, ::2] == 5 for k in range(16, 108, 4)]
    rendered = list(cases["ct"][:, 0].numpy())
    more = [label == number["liver"] for label in cases["label"][:, 0].numpy()]
    for name, images, masks in (("real", real, livers), ("rendered", rendered, more)):
        middle = np.stack(images)[:, 90:190, 60:200]
        show(f"CT {name} [HU]", middle, 0)
        show(f"CT {name}, edges 50/90/99", np.stack([edges(i) for i in middle]), 0, (50, 90, 99))
        blocks = []
        for image, mask in zip(images, masks, strict=True):
            room = np.argwhere(ndimage.binary_erosion(mask, iterations=14))
            if len(room):
                y, x = room[len(room) // 2]
                blocks.append(image[y - 10 : y + 10, x - 10 : x + 10])
        print(
            f"{'noise spectrum, ' + str(len(blocks)) + ' blocks':>34}",
            noise_spectrum(blocks).round(3),
        )
        print(f"{'standard deviation [HU]':>34}", np.mean([b.std() for b in blocks]).round(1))


def pictures(folder: Path) -> None:
    """The cards' three pictures, 8-bit grey."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from PIL import Image

    def sheet(rows: list[list[tuple]], path: Path, inches: float, dpi: int) -> None:
        figure, axes = plt.subplots(
            len(rows), len(rows[0]), figsize=(inches * len(rows[0]), (inches + 0.2) * len(rows))
        )
        for axis, (title, image, window) in zip(axes.flat, chain(*rows), strict=True):
            axis.imshow(image, cmap="gray", vmin=window[0], vmax=window[1])
            axis.set_title(title, fontsize=7)
            axis.axis("off")
        figure.tight_layout(pad=0.3)
        figure.savefig(path, dpi=dpi)
        grey = Image.open(path).convert("L")
        grey.quantize(48).save(path, optimize=True)

    contrasts = ("t1", "t2", "pd", "ct", "pet")
    rows = []
    for region, seed, hounsfield in (("brain", 8, (-20, 80)), ("chest", 0, (-1000, 400))):
        cases = anatomy.population(3, size=160, contrasts=contrasts, seed=seed, region=region)
        for k in range(3):
            images = {c: cases[c][k, 0].numpy() for c in contrasts}
            windows = {c: (0, np.percentile(i, 99.2)) for c, i in images.items()}
            windows["ct"] = hounsfield
            place = f"{cases.subject[k].removeprefix('LIDC-IDRI-')}, {cases.group[k]}"
            rows.append([(f"{c}: {place}", images[c], windows[c]) for c in contrasts])
    sheet(rows, folder / "anatomy.png", 1.9, 64)

    mni = brain_mni.load()
    k = round(10 - mni.origin_mm[0])
    pair = [("REAL, MNI average T1", mni.image[k] / 230, (0, 1.05))]
    number = anatomy.labels("brain")
    cases = anatomy.population(60, size=224, contrasts=("t1",), seed=11)
    heights = [float(case.split("/z")[1].split("/")[0]) for case in cases.case]
    middle = [k for k, z in enumerate(heights) if 4 <= z <= 16]
    for i in [next(k for k in middle if cases.group[k] == f"site {name}") for name in "ABD"]:
        label, image = cases["label"][i, 0].numpy(), cases["t1"][i, 0].numpy()
        inside = ~np.isin(label, [number[name] for name in OUTER])
        white = np.percentile(image[label == number["white_matter"]], 80)
        pair.append((f"rendered, {cases.group[i]}", image * inside / white, (0, 1.05)))
    scan = chest_ct.load()
    other = [("REAL, chest_ct", scan.image[55], (-1000, 400))]
    cases = anatomy.population(3, size=256, contrasts=("ct",), seed=1, region="chest")
    other += [
        (f"warped and rendered, {cases.group[i]}", cases["ct"][i, 0].numpy(), (-1000, 400))
        for i in range(3)
    ]
    sheet([pair, other], folder / "anatomy_real.png", 2.3, 80)

    own = lidc.annotations("LIDC-IDRI-0001")[0]
    z, y, x = np.argwhere(lidc.mask(own, scan)).mean(0).round().astype(int)
    drawn = lesions.nodule_patches(17, seed=5)
    names = ("texture", "malignancy")
    columns = [lidc.RATINGS.index(name) for name in names]
    panels = []
    for image, ratings in zip(drawn["image"][:, 0].numpy(), drawn["ratings"].tolist(), strict=True):
        title = ", ".join(f"{n} {ratings[c]:.0f}" for n, c in zip(names, columns, strict=True))
        panels.append((title, image, (-1100, 300)))
    real = scan.image[z, y - 32 : y + 32, x - 32 : x + 32]
    panels.insert(8, ("REAL: LIDC-IDRI-0001", real, (-1100, 300)))
    sheet([panels[i : i + 6] for i in (0, 6, 12)], folder / "lesions.png", 1.6, 80)


if __name__ == "__main__":
    brain()
    chest()
    pictures(Path(sys.argv[1]))
