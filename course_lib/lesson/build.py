"""Builds the notebooks of the course from their text sources, and says which are out of date."""

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from course_lib.errors import CourseError
from course_lib.files import PACKAGE, atomic
from course_lib.lesson.source import Cell, code_sha, notebook, read, without_solutions

MEASURED = Path("solutions") / "measured.json"
# What JupyterLab and finished runs leave beside the lessons.
LEFT = {".ipynb_checkpoints", "runs"}


@dataclass(frozen=True)
class Lesson:
    """A lesson by its name, such as '01_restoration/01_denoising'."""

    name: str
    root: Path

    @property
    def source(self) -> Path:
        return self.root / "solutions" / f"{self.name}.py"

    @property
    def student(self) -> Path:
        return self.root / "notebooks" / f"{self.name}.ipynb"

    @property
    def complete(self) -> Path:
        return self.root / "solutions" / f"{self.name}.ipynb"


def checkout() -> Path:
    """The folder of the course's sources. Raises CourseError in an installed copy without them."""
    root = PACKAGE.parent
    if not (root / "pyproject.toml").is_file() or not (root / "solutions").is_dir():
        raise CourseError(
            "The lessons' sources are not here: this is an installed copy of the course. "
            "Clone the repository and run the command there."
        )
    return root


def lessons(root: Path) -> list[Lesson]:
    """All lessons of a checkout, in reading order."""
    folder = root / "solutions"
    return [
        Lesson(path.relative_to(folder).with_suffix("").as_posix(), root)
        for path in sorted(folder.rglob("*.py"))
        if not LEFT & set(path.relative_to(root).parts)
    ]


def find(root: Path, name: str) -> Lesson:
    """The lesson called `name`, in full or by its last part ('denoising' is enough)."""
    known = lessons(root)
    wanted = name.removesuffix(".py").removesuffix(".ipynb").removeprefix("solutions/")
    fits = [lesson for lesson in known if lesson.name == wanted] or [
        lesson for lesson in known if lesson.name.endswith(wanted)
    ]
    if wanted and len(fits) == 1:
        return fits[0]
    names = ", ".join(lesson.name for lesson in known)
    raise CourseError(f"There is no one lesson '{name}'. Choose one of: {names}.")


def repository(root: Path) -> str:
    """The public address of the course from pyproject.toml; empty when it is not published."""
    with open(root / "pyproject.toml", "rb") as file:
        address = tomllib.load(file).get("tool", {}).get("course", {}).get("repository", "")
    address = address.strip().rstrip("/").removesuffix(".git")
    if address and not re.fullmatch(r"https://[\w.-]+(/[\w.~-]+)+", address):
        raise CourseError(
            f"pyproject.toml, [tool.course] repository: '{address}' is not an address like "
            "https://github.com/OWNER/NAME. Correct it, or leave it empty."
        )
    return address


def measured(root: Path) -> dict[str, dict]:
    """What `course measure` found, by lesson; empty before the first measurement."""
    path = root / MEASURED
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def badges(lesson: Lesson, cells: list[Cell], address: str, measure: dict | None) -> str:
    """The row under the title: measured time and memory, and where the lesson opens online.

    Plain text and links, no pictures from other sites: it reads the same without a network.
    """
    if measure is None:
        parts = ["**Time and memory** not measured yet"]
    else:
        seconds, slowest = measure["seconds"], measure["slowest_cell_s"]
        parts = [
            f"**Time** {_duration(seconds)}",
            f"**Memory** {measure['peak_memory_mb'] / 1024:.1f} GB",
            f"**Slowest cell** {_duration(slowest)}",
            f"measured {measure['date']} in profile `class` on {measure['cores']} CPU cores"
            + ("" if measure["code"] == code_sha(cells) else ", with an earlier version"),
        ]
    if github := re.fullmatch(r"https://github\.com/([^/]+/[^/]+)", address):
        path = lesson.student.relative_to(lesson.root).as_posix()
        where = f"{github[1]}/blob/main/{path}"
        parts.append(f"[Open in Colab](https://colab.research.google.com/github/{where})")
        where = f"{github[1]}/main?urlpath=lab/tree/{path}"
        parts.append(f"[Open on Binder](https://mybinder.org/v2/gh/{where})")
    return " · ".join(parts)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def install_cell(address: str) -> Cell:
    """The first code cell: makes sure that the course is there, or says how to get it."""
    if not address:
        return Cell("code", _INSTALL.format(modules="", do=_CLONE).replace("\n\n\n", "\n\n"))
    raw = address.replace("https://github.com/", "https://raw.githubusercontent.com/")
    pins = _PINS.format(constraints=f"{raw}/main/constraints.txt") if raw != address else ""
    modules = "import subprocess\nimport sys\n"
    modules += "import urllib.request\n" if pins else ""
    modules += "from importlib.metadata import distributions"
    fetch = _FETCH.format(
        pins=pins, address=address, constraint=", '-c', 'course-pins.txt'" if pins else ""
    )
    return Cell("code", _INSTALL.format(modules=modules, do=fetch))


_INSTALL = """\
# Is the course installed where this notebook runs?
import importlib.util
{modules}

if importlib.util.find_spec('course_lib') is None:
{do}"""

# What the machine has already stays as it is, the rest is pinned to what the tests ran with.
_PINS = """\
    lines = urllib.request.urlopen('{constraints}').read().decode().split()
    pins = [line for line in lines if '==' in line and plain(line.partition('==')[0]) not in have]
    with open('course-pins.txt', 'w') as file:
        file.write('\\n'.join(pins))
"""

_FETCH = """\
    def plain(name):
        return name.lower().replace('_', '-')

    have = {{plain(each.name or ''): each.version for each in distributions()}}
{pins}    print('Installing the course from {address} (a minute or two) …')
    command = [sys.executable, '-m', 'pip', 'install', '--quiet'{constraint}]
    subprocess.run([*command, 'git+{address}'], check=True)
    importlib.invalidate_caches()
    now = {{plain(each.name or ''): each.version for each in distributions()}}
    if 'numpy' in have and have['numpy'] != now['numpy']:
        raise SystemExit('numpy was renewed. Restart the session, then run this notebook again.')
"""

_CLONE = """\
    raise ModuleNotFoundError(
        'This notebook needs the course beside it. In a terminal, in the folder of the course, '
        'run `make lab`: it installs everything and opens JupyterLab with the right kernel. '
        'Without make: `python -m pip install -e .` with the Python that runs this notebook.'
    )
"""


def render(lesson: Lesson) -> dict[Path, str]:
    """The two notebooks of a lesson as text: path → content of the .ipynb file."""
    cells = read(lesson.source)
    if not cells or cells[0].kind != "markdown" or not cells[0].text.startswith("# "):
        raise CourseError(f"{lesson.source}: the first cell must be markdown, '# Title' on top.")
    address = repository(lesson.root)
    row = badges(lesson, cells, address, measured(lesson.root).get(lesson.name))
    title, _, rest = cells[0].text.partition("\n")
    opening = [
        Cell("markdown", f"{title}\n\n{row}\n{rest}".rstrip(), cells[0].tags),
        Cell(install_cell(address).kind, install_cell(address).text.rstrip()),
    ]
    return {
        lesson.complete: notebook(opening + cells[1:]),
        lesson.student: notebook(opening + without_solutions(cells[1:])),
    }


def rendered(root: Path) -> dict[Path, str]:
    """Every notebook that the sources ask for: path → content."""
    return {path: text for lesson in lessons(root) for path, text in render(lesson).items()}


def stale(root: Path) -> dict[Path, str]:
    """The notebooks that are not as their sources ask, and what is wrong with each."""
    wanted = rendered(root)
    found = {
        path
        for folder in ("notebooks", "solutions")
        for path in (root / folder).rglob("*.ipynb")
        if not LEFT & set(path.relative_to(root).parts)
    }
    faults = {path: "has no source: delete it" for path in found - set(wanted)}
    for path, text in wanted.items():
        if not _same(path, text):
            faults[path] = "differs from its source" if path in found else "is missing"
    return dict(sorted(faults.items()))


def build(root: Path) -> list[Path]:
    """Writes what is out of date and returns it; what is as it should be stays untouched."""
    written = []
    for path, text in rendered(root).items():
        if not _same(path, text):
            with atomic(path) as temporary:
                temporary.write_text(text, encoding="utf-8", newline="\n")
            written.append(path)
    return written


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()
