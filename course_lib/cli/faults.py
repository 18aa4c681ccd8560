"""One place that turns whatever goes wrong in a command into a sentence and an exit status.

0: done. 1: jobs failed, or a check found something. 2: refused, nothing was done. 70: a fault of
the course itself, whose traceback lies in a file; `COURSE_DEBUG=1` shows every traceback.
"""

import codecs
import os
import sys
import tempfile
import traceback
from collections.abc import Callable

import click

from course_lib.errors import CourseError

REFUSED, FAULT, INTERRUPTED = 2, 70, 130
LONGEST = 200  # letters of a path that a sentence shows
PLAIN = {
    "→": "->",
    "…": "...",
    "–": "-",
    "—": "-",
    "−": "-",
    "×": "x",
    "²": "2",
    "³": "3",
    "✔": "+",
}
ADVICE = {
    "ENOSPC": "Make room on the disk, or choose another folder: COURSE_DATA for data, --store for "
    "records.",
    "EDQUOT": "Your quota is used up. Make room, or choose another folder: COURSE_DATA for data, "
    "--store for records.",
    "EACCES": "Check who may read and write there, or choose another place.",
    "EPERM": "Check who may read and write there, or choose another place.",
    "EROFS": "It cannot be written to. Choose another folder: COURSE_DATA for data, --store for "
    "records.",
    "ENAMETOOLONG": "Choose a shorter name.",
    "EISDIR": "A file was expected.",
    "ENOTDIR": "A part of the path is a file where a folder was expected.",
    "ENOENT": "Check the path.",
    "EEXIST": "Choose another name.",
    "EMFILE": "Too many files are open: raise the limit (`ulimit -n`) or take fewer --workers.",
}


def status(command: Callable[[], int | None]) -> int:
    """Runs a command and returns the exit status; what went wrong is said on standard error."""
    _never_fail_for_the_encoding()
    try:
        return command() or 0
    except BaseException as error:
        return _told(error)


def _told(error: BaseException) -> int:
    if isinstance(error, click.Abort) and isinstance(error.__cause__, EOFError):
        error = error.__cause__  # click takes the end of a file for the user's Ctrl-D
    if os.environ.get("COURSE_DEBUG") and not isinstance(error, SystemExit | click.exceptions.Exit):
        traceback.print_exception(error)
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, KeyboardInterrupt | click.Abort):
        _say("Interrupted. What was finished is kept; the same command goes on.", "")
        return getattr(error.__cause__ or error, "exit_code", INTERRUPTED)
    if sentence := in_words(error):
        _say(sentence)
        return REFUSED
    _say(_fault(error))
    return FAULT


def in_words(error: BaseException) -> str | None:
    """What an error that comes from outside the course means to the user; None for a fault of the
    course's own."""
    if isinstance(error, CourseError):
        return str(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return (
            "Memory ran out. Close other programs and notebooks, take fewer --workers or a smaller "
            "--profile."
        )
    if isinstance(error, OSError) and error.errno is not None:
        return _file_error(error)
    if isinstance(error, UnicodeError):
        text = getattr(error, "object", "")
        return (
            f"The text {_short(ascii(text))} cannot be written or read as "
            f"{getattr(error, 'encoding', 'UTF-8')} ({getattr(error, 'reason', error)}). If it is "
            "the name of a file or folder, rename it."
        )
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        if package != "course_lib":
            return (
                f"The Python package {package!r} is missing in {sys.prefix}. Install the course "
                "there again: `python -m pip install -e .` in its folder, or `make`."
            )
    if isinstance(error, RuntimeError) and "home directory" in str(error):
        return (
            "The home folder is not known. Write paths in full, without ~, and say with "
            "COURSE_DATA where the data are to lie."
        )
    if isinstance(error, ValueError) and "null byte" in str(error):
        return "A path holds the character NUL, which no file's name has. Check the path."
    return None


def _file_error(error: OSError) -> str:
    import errno

    what = _short(os.fsdecode(error.filename)) if error.filename else "a file or connection"
    if isinstance(error.filename, int):
        what = "a file or connection"
    name = errno.errorcode.get(error.errno or 0, "")
    advice = ADVICE.get(name, "Check that place, then run the same command again.")
    return f"{what} cannot be used: {error.strerror or error}. {advice}"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} letters)"


def _fault(error: BaseException) -> str:
    """What is said of a fault of the course's own, and where its traceback lies."""
    words = f"This is a fault of the course, not yours ({type(error).__name__}). Please report it"
    whole = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", errors="backslashreplace",
            prefix="course-fault-", suffix=".txt", delete=False,
        ) as file:  # fmt: skip
            file.write(f"course {' '.join(map(ascii, sys.argv[1:]))}\n\n{whole}")
    except OSError:
        return f"{words}, with this:\n{whole}"
    return f"{words}; details in {file.name}. COURSE_DEBUG=1 shows them here."


def _say(text: str, opening: str = "Error: ") -> None:
    click.echo(f"{opening}{text}", err=True)


def _plainer(error: UnicodeError) -> tuple[str, int]:
    """A codec's way out: a character that the encoding lacks is written in plainer ones."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    plain = "".join(
        PLAIN.get(letter) or letter.encode("ascii", "backslashreplace").decode()
        for letter in letters
    )
    return plain, error.end


def _never_fail_for_the_encoding() -> None:
    """Whatever the console's or a pipe's encoding is, what is printed gets through."""
    codecs.register_error("plainer", _plainer)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="plainer")
