"""What a job took: memory, parameters, and the versions it ran with."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from course_lib import __version__

VERSIONS = ("torch", "monai", "numpy", "scipy", "scikit-image", "bm3d")


def parameters(method: Any) -> int:
    """How many numbers a method has learnt: 0 for a classical one."""
    own = getattr(method, "parameters", lambda: ())()
    return sum(p.numel() for p in own if p.requires_grad)


def peak_memory_mb(device: Any) -> float:
    """The process's largest resident memory; on a graphics card, the card's largest allocation."""
    import torch

    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return psutil.Process().memory_info().peak_wset / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if platform.system() == "Darwin" else 2**10)


def versions() -> dict[str, str]:
    """The versions of what computes."""
    found = {"python": platform.python_version(), "course": __version__}
    for package in VERSIONS:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
