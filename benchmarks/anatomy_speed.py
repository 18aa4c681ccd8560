"""How long drawing a population takes, and how much memory.

Run `python benchmarks/anatomy_speed.py`. It prints CPU time (which neighbours on the machine change
little), wall time, the size of the result and the process's largest memory so far. It needs the
data sets `brain_donors`, `brain_mni` and `chest_ct`; completing heads and reading the chest come
first and are not measured.
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
    {"n": 20, "dims": 3, "size": 32, "contrasts": ("t1",)},
    {"n": 8, "dims": 3, "size": 64, "contrasts": ("t1",)},
    {"n": 4, "dims": 3, "size": 96, "contrasts": ("t1",)},
    {"n": 500, "dims": 2, "size": 128, "contrasts": ("t1", "ct"), "region": "chest"},
)


def peak_mb() -> float:
    """Largest resident memory so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Prints one line per setting."""
    print(f"{torch.get_num_threads()} threads; torch {torch.__version__}")
    print(f"{'setting':>45}   CPU s  wall s  ms/case  result MB  peak MB")
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
        del cases


if __name__ == "__main__":
    main()
