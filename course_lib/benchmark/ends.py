"""How a job ended that left no record, in words."""

import errno
import re
import signal

ADVICE = {
    errno.ENOSPC: "Make room on the disk, or choose another folder with --store.",
    errno.EDQUOT: "Your quota is used up. Make room, or choose another folder with --store.",
    errno.EMFILE: "Too many files are open: raise the limit (`ulimit -n`) or take fewer --workers.",
    errno.ENOMEM: "Memory ran out. Close other programs, take fewer --workers or a smaller "
    "--profile.",
}
"""What helps against errors of the system that say nothing of the job itself."""
LEFT_NOTHING = (
    "it ended without a record. Its method, or a library, may end Python by itself (sys.exit); a "
    "method returns its answer, and raises an error where it cannot."
)

CODE_CHANGED = "the course's code was edited while this job ran"


def told(kind: str, message: str) -> dict[str, str]:
    """An error as a record keeps it; where its own words say too little, with more of them.

    Arguments:
        kind: the error's class.
    """
    number = re.match(r"\[Errno (\d+)\]", message)
    if kind in ("MemoryError", "OutOfMemoryError"):
        message = f"{message} {ADVICE[errno.ENOMEM]}".strip()
    elif number and int(number[1]) in ADVICE:
        message = f"{message}. {ADVICE[int(number[1])]}"
    elif kind == "SystemExit":
        message = f"the job called sys.exit({message}). A method raises an error where it cannot."
    elif kind == "DeadKernelError":
        message = "the process that computed it died: " + of_process(None)
    return {"type": kind, "message": message}


def of_process(code: int | None) -> str:
    """Why a process may have ended.

    Arguments:
        code: its exit status, negative for a signal, where it is known.
    """
    if code is None:
        return (
            "a crash in a library, an end by os._exit, or killed from outside, as systems do for "
            "lack of memory. Fewer --workers or a smaller --profile take less."
        )
    if code >= 0:
        return f"it ended by itself with status {code}."
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    if -code == signal.SIGKILL:
        return f"killed ({name}), probably for lack of memory. {ADVICE[errno.ENOMEM]}"
    return f"ended by {name}."
