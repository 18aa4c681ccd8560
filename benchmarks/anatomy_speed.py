"""How long drawing a population takes, and how much memory: run `python benchmarks/anatomy_speed.py`.

Prints CPU time (which neighbours on the machine do not change much), wall time and the growth of
peak memory beyond the result itself. Needs the data sets `brain_donors`, `brain_mni`, `chest_ct`;
heads are completed first, which is not measured.
"""

import resource
import time

import torch

from course_lib.data import anatomy

SETTINGS = (
    {"n": 1000, "dims": 2, "size": 128, "contrasts": ("t1",)},
    {"n": 1000, "dims": 2, "size": 128, "contrasts": ("t1", "t2")},
    {"n": 1000, "dims": 2, "size": 64, "contrasts": ("t1", "ct")},
    {"n": 200, "dims": 2, "size": 256, "contrasts": ("t1", "t2")},
    {"n": 500, "dims": 2, "size": 128, "contrasts": ("t1", "ct"), "region": "chest"},
    {"n": 20, "dims": 3, "size": 32, "contrasts": ("t1",)},
    {"n": 8, "dims": 3, "size": 64, "contrasts": ("t1",)},
    {"n": 4, "dims": 3, "size": 96, "contrasts": ("t1",)},
)


def peak_mb() -> float:
    """Largest resident memory so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Prints one line per setting."""
    print(f"{torch.get_num_threads()} threads; torch {torch.__version__}")
    print(f"{'setting':>45} {'CPU s':>7} {'wall s':>7} {'ms/case':>8} {'result MB':>10} {'peak MB':>8}")
    for setting in SETTINGS:
        anatomy.population(**setting | {"n": 4, "seed": 1})  # load what is kept
        cpu, wall = time.process_time(), time.perf_counter()
        cases = anatomy.population(**setting)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        result = sum(t.numel() * t.element_size() for t in cases.tensors.values()) / 2**20
        name = "{region} {n} x {size}^{dims} {contrasts}".format(**{"region": "brain"} | setting)
        print(
            f"{name:>45} {cpu:7.1f} {wall:7.1f} {1000 * cpu / setting['n']:8.1f} "
            f"{result:10.0f} {peak_mb():8.0f}"
        )


if __name__ == "__main__":
    main()
