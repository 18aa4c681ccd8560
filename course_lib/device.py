"""Which processor computes, in what precision, and what to do when its memory runs out."""

import os
import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor

from course_lib.errors import CourseError

FULL, HALF = "float32", "bfloat16"


def choose(wanted: str | None = None) -> torch.device:
    """The device to compute on: `wanted`, else `$COURSE_DEVICE`, else cuda, then mps, then cpu.

    Raises CourseError when the wanted device is not there.
    """
    wanted = wanted or os.environ.get("COURSE_DEVICE")
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted is None:
        return torch.device(next(kind for kind, present in there.items() if present))
    if not there.get(wanted.split(":")[0], False):
        present = ", ".join(kind for kind, here in there.items() if here)
        raise CourseError(
            f"The device {wanted!r} is not available here; this machine has: {present}. "
            "Set COURSE_DEVICE to one of these, or unset it."
        )
    return torch.device(wanted)


def processor_name() -> str:
    """The processor's own name, as the operating system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":")[1].strip() for line in file if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def name(device: torch.device) -> str:
    """What a person calls the device, for example the graphics card's model."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else processor_name()


def describe(device: torch.device | None = None) -> str:
    """One line that tells the user where the work runs."""
    device = device or choose()
    threads = f", {torch.get_num_threads()} threads" if device.type == "cpu" else ""
    half = f", or {HALF} where a method allows it" if precision(True, device) == HALF else ""
    return f"Computing on {device.type} ({name(device)}{threads}) in {FULL}{half}."


def has_half(device: torch.device) -> bool:
    """Whether the device itself multiplies bfloat16, and does not only imitate it."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        able = torch.cpu.get_capabilities()
        return any(able.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return False


def precision(mixed: bool, device: torch.device) -> str:
    """In what precision losses are counted: float32; bfloat16 for a method that asks for `mixed`,
    where the device has it and `$COURSE_PRECISION` is not `float32`.

    Raises CourseError when the variable says anything else.
    """
    said = os.environ.get("COURSE_PRECISION") or HALF
    if said not in (FULL, HALF):
        raise CourseError(
            f"COURSE_PRECISION={said!r} is no precision. Set it to {FULL}, for the same digits on "
            f"every machine, or unset it: methods that allow it then train in {HALF}."
        )
    return HALF if mixed and said == HALF and has_half(device) else FULL


def counting_in(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Inside, networks count in that precision where it does no harm."""
    if precision == FULL:
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Inside, everything random in torch follows from `seed`; outside, nothing has changed."""
    cards = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=cards):
        torch.manual_seed(seed)
        yield


@contextmanager
def memory_advice() -> Iterator[None]:
    """Turns an out-of-memory failure into advice.

    Raises CourseError that names what to make smaller.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        text = str(error).lower()
        if not isinstance(error, torch.OutOfMemoryError | MemoryError) and (
            "not enough memory" not in text and "out of memory" not in text
        ):
            raise
        raise CourseError(
            "Memory ran out. Choose a smaller profile (--profile smoke or class), close other "
            "notebooks, or compute on the processor with COURSE_DEVICE=cpu."
        ) from error


def to(tensors: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """The same tensors on `device`."""
    return {key: value.to(device) for key, value in tensors.items()}
