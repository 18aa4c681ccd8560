"""Times the CT projector beside scikit-image, in one run on the same images.

    python benchmarks/ct_projector.py --threads 2

Prints two tables: each operation beside scikit-image's, and how near the sparse product inside each
comes to the machine's memory bandwidth, which is measured in the same run.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from skimage.transform import iradon, radon

from course_lib.files import atomic
from course_lib.physics import phantoms, system_matrix
from course_lib.physics.ct import ParallelBeam


def timed(work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median and shortest time in ms, after one run that is not counted.

    On one thread this is processor time, which busy neighbours hardly change; on several it is
    wall time, because threads that wait for each other burn processor time.
    """
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    work()
    times = []
    for _ in range(repeats):
        start = clock()
        work()
        times.append(1000 * (clock() - start))
    return statistics.median(times), min(times)


def bandwidth_gb_s(repeats: int) -> float:
    """Best rate in GB/s of the triad a = b + 2 c on arrays of 256 MB: two read, one written."""
    b, c = torch.rand(2, 64 << 20)
    a = torch.empty_like(b)
    _, fastest = timed(lambda: torch.add(b, c, alpha=2, out=a), repeats)
    return 3 * b.nbytes / fastest / 1e6


def operations(beam: ParallelBeam, batch: int) -> dict[str, tuple[Callable, Callable]]:
    """Each operation on a batch, ours and theirs. Theirs takes one image at a time, on one core.

    The same rays for both: as many detectors as pixels along a side, and nothing in the corners.
    """
    size = beam.size
    inside = phantoms.rasterise([phantoms.Ellipse(1, (0, 0), (0.93, 0.93))], size)
    texture = torch.rand(batch, 1, size, size, generator=torch.Generator().manual_seed(0))
    images = phantoms.rasterise(phantoms.shepp_logan(), size) + 0.01 * texture * inside
    sinograms = beam(images)
    degrees = beam.angles.numpy()
    pictures = [image[0].double().numpy() for image in images]
    columns = [sinogram[0].double().numpy().T for sinogram in sinograms]

    def ours_with_gradient():
        leaf = images.clone().requires_grad_()
        (beam(leaf) - sinograms).square().sum().backward()

    def their_radon():
        return [radon(picture, degrees) for picture in pictures]

    def their_iradon(name: str | None):
        return [iradon(c, degrees, size, name) for c in columns]

    # scikit-image has no adjoint and no gradient: unfiltered back-projection is the same work.
    return {
        "forward": (lambda: beam(images), their_radon),
        "adjoint": (lambda: beam.adjoint(sinograms), lambda: their_iradon(None)),
        "forward + backward": (ours_with_gradient, lambda: (their_radon(), their_iradon(None))),
        "FBP": (lambda: beam.fbp(sinograms), lambda: their_iradon("ramp")),
    }


def products(beam: ParallelBeam, batch: int, repeats: int, bandwidth: float) -> list[dict]:
    """The bare sparse products: bytes they must move, at what rate, beside the bandwidth."""
    joseph, nearest = beam._joseph, beam._interpolation
    rows = []
    for name, matrix, copies in (
        ("forward", joseph.matrix, len(joseph.turns)),
        ("adjoint", joseph.transpose, len(joseph.turns)),
        ("FBP", nearest.transpose, len(nearest.turns)),
    ):
        columns = torch.rand(batch * copies, matrix.shape[1])
        took, _ = timed(lambda m=matrix, c=columns: system_matrix._multiply(m, c), repeats)
        passes = -(-len(columns) // system_matrix.COLUMNS)
        # A weight (4 bytes) and its index (4), once per pass; each vector element once.
        moved = 8 * matrix._nnz() * passes + 4 * len(columns) * sum(matrix.shape)
        rate = moved / took / 1e6
        rows.append(
            {
                "product": name,
                "ms": took,
                "mb_moved": moved / 1e6,
                "gb_s": rate,
                "of_bandwidth": rate / bandwidth,
                "gflop_s": 2 * matrix._nnz() * len(columns) / took / 1e6,
            }
        )
    return rows


def show(rows: list[dict], names: tuple[str, ...], formats: tuple[str, ...]) -> None:
    """Prints rows as a Markdown table."""
    print("| " + " | ".join(names) + " |\n|" + " --- |" * len(names))
    for row in rows:
        cells = (f.format(v) for f, v in zip(formats, row.values(), strict=True))
        print("| " + " | ".join(cells) + " |")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=256, help="pixels along a side")
    parser.add_argument("--views", type=int, default=180)
    parser.add_argument("--batch", type=int, default=8, help="images at once")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    start = time.perf_counter()
    beam = ParallelBeam(arguments.size, arguments.views, detectors=arguments.size)
    weights = [m.matrix._nnz() for m in (beam._joseph, beam._interpolation)]
    build = time.perf_counter() - start
    print(
        f"{arguments.size} x {arguments.size}, {arguments.views} views, batch {arguments.batch}, "
        f"{arguments.threads} threads, torch {torch.__version__}. Matrices: "
        f"{' and '.join(f'{n / 1e6:.1f} M weights, {16 * n / 1e6:.0f} MB' for n in weights)} "
        f"(both directions), built in {build:.2f} s.\n"
    )
    pairs = operations(beam, arguments.batch)
    # All of ours first, in a few seconds: two threads suffer more than one from busy neighbours.
    ours = [timed(work, arguments.repeats) for work, _ in pairs.values()]
    bandwidth = bandwidth_gb_s(arguments.repeats)
    moved = products(beam, arguments.batch, arguments.repeats, bandwidth)
    theirs = [timed(work, max(3, arguments.repeats // 5)) for _, work in pairs.values()]
    compared = [
        {
            "operation": name,
            "ours_ms": our_median,
            "ours_best_ms": our_best,
            "scikit_image_ms": their_median,
            "scikit_image_best_ms": their_best,
            "ratio": their_median / our_median,
        }
        for name, (our_median, our_best), (their_median, their_best) in zip(
            pairs, ours, theirs, strict=True
        )
    ]
    names = ("operation", "ours [ms]", "best", "scikit-image [ms]", "best", "faster by")
    show(compared, names, ("{}", "{:.1f}", "{:.1f}", "{:.0f}", "{:.0f}", "{:.0f} x"))
    print(f"Memory bandwidth (triad): {bandwidth:.1f} GB/s\n")
    names = ("product alone", "ms", "MB moved", "GB/s", "of bandwidth", "GFLOP/s")
    show(moved, names, ("{}", "{:.1f}", "{:.0f}", "{:.1f}", "{:.0%}", "{:.1f}"))

    if arguments.json:
        figures = {"build_s": build, "bandwidth_gb_s": bandwidth, "weights": weights}
        figures |= {"size": arguments.size, "views": arguments.views, "batch": arguments.batch}
        figures |= {"threads": arguments.threads, "operations": compared, "products": moved}
        with atomic(arguments.json) as path:
            path.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
