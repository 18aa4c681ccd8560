"""Keys: they follow what decides a record's numbers, and nothing else."""

import shutil

import pytest

from course_lib import catalogue, code
from course_lib.benchmark.choice import default_dataset
from course_lib.benchmark.job import Job
from course_lib.cases import is_own
from course_lib.files import PACKAGE


def jobs():
    """A job of every method."""
    for entry in catalogue.METHODS:
        dataset = default_dataset(entry.section, entry.id)
        yield Job(entry.section, entry.id, dataset, "class", 0)


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """The course's code in a folder of its own, from which hashes are taken."""
    shutil.copytree(PACKAGE, tmp_path / "course_lib", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "PACKAGE", tmp_path / "course_lib")
    return tmp_path / "course_lib"


def hashes():
    return {str(job): code.code_hash(*job.modules()) for job in jobs()}


def changed(file, old, new):
    """Edits a file; returns the jobs whose code hash is another one afterwards."""
    before, text = hashes(), file.read_text("utf-8")
    assert old in text, f"{file} does not hold {old!r}"
    file.write_text(text.replace(old, new, 1), "utf-8")
    after = hashes()
    return {name.split(" ")[0] for name, value in after.items() if value != before[name]}


def reach(module):
    """The jobs whose code imports a module, found by asking Python's own import machinery."""
    return {f"{job.task}/{job.method}" for job in jobs() if module in _closure(job.modules()[0])}


def _closure(names):
    """All modules of the course that these import, read in a second way: as text."""
    import re

    pattern = re.compile(r"^\s*(?:from (course_lib[\w.]*) import ([\w, ]+|\([^)]*\)))", re.M)
    waiting, seen = list(names), set()
    while waiting:
        name = waiting.pop()
        base = PACKAGE.joinpath(*name.split(".")[1:])
        file = next(
            (f for f in (base.with_suffix(".py"), base / "__init__.py") if f.is_file()), None
        )
        if name in seen or name in code.ASIDE or file is None:
            continue
        seen.add(name)
        for module, words in pattern.findall(file.read_text("utf-8")):
            parts = [w.split(" as ")[0].strip() for w in words.strip("()").split(",")]
            waiting += [module, *(f"{module}.{part}" for part in parts if part)]
    return seen


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("fit.py", "def predict(", "# A comment.\ndef predict("),
        ("fit.py", '"""The one training loop', '"""The ONLY training loop'),
        ("tasks/base.py", "    Arguments:", "    Arguments, as ever:"),
        ("physics/ct.py", '"""', '"""Another first sentence. '),
        ("data/own/boxes.py", "KEYS = (", "KEYS = tuple(["),
        ("data/download.py", "import", "import sys\nimport"),
        ("data/wheels.py", "import", "import sys\nimport"),
        ("data/registry.py", "import", "import sys\nimport"),
        ("errors.py", "class CourseError(Exception)", "class CourseError(RuntimeError)"),
        ("lesson/show.py", "import", "import sys\nimport"),
        ("benchmark/report.py", "import", "import sys\nimport"),
        ("__init__.py", "__version__ =", "__revision__ = 0\n__version__ ="),
    ],
)
def test_what_decides_no_number_changes_no_key(copy, file, old, new):
    assert changed(copy / file, old, new) == set()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("parts/registration/losses.py", "import torch\n", "import torch\n\nNEW = 1\n"),
        ("parts/segmentation/losses.py", "import torch\n", "import torch\n\nNEW = 1\n"),
        ("parts/resnet.py", "import torch", "NEW = 1\nimport torch"),
        ("physics/mr.py", "import torch\n", "import torch\n\nNEW = 1\n"),
        ("methods/denoising/red_cnn.py", "= 4e-4, True", "= 5e-4, True"),
        ("tasks/denoising/low_dose.py", "ELECTRONIC_NOISE = 5.0", "ELECTRONIC_NOISE = 6.0"),
        ("data/anatomy/render.py", "import torch\n", "import torch\n\nNEW = 1\n"),
        ("learning.py", "0.01 + 0.99", "0.02 + 0.98"),
    ],
)
def test_what_computes_changes_exactly_the_keys_of_what_uses_it(copy, file, old, new):
    module = "course_lib." + file.removesuffix(".py").replace("/", ".")
    used = reach(module)
    assert used and changed(copy / file, old, new) == used


def test_sections_do_not_share_the_fate_of_others(copy):
    denoising = {f"denoising/{entry.id}" for entry in catalogue.methods("denoising")}
    file = copy / "tasks" / "denoising" / "low_dose.py"
    assert (
        changed(file, "LOW_PHOTONS, NORMAL_PHOTONS = 400.0", "LOW_PHOTONS, NORMAL_PHOTONS = 500.0")
        == denoising
    )


def test_no_built_in_question_depends_on_how_own_data_are_read():
    for job in jobs():
        names = _closure(job.modules()[0])
        assert not is_own(job.dataset)
        assert not {name for name in names if name.startswith("course_lib.data.own")}, str(job)


def test_own_data_depend_on_the_reader_of_their_own_format(copy, tmp_path):
    """COCO pictures and their reader; NIfTI and DICOM may change as they like."""
    from tests.test_data_own import coco

    folder = tmp_path / "pictures"
    folder.mkdir()
    coco(folder)
    job = Job("detection", "blob_detector", f"path:{folder}", "smoke", 0)
    first = code.code_hash(*job.modules())
    scans, boxes = (copy / "data" / "own" / f"{name}.py" for name in ("scans", "boxes"))
    scans.write_text(scans.read_text("utf-8") + "\nNEW = 1\n", "utf-8")
    assert code.code_hash(*job.modules()) == first
    boxes.write_text(boxes.read_text("utf-8") + "\nNEW = 1\n", "utf-8")
    assert code.code_hash(*job.modules()) != first


def test_lazy_and_relative_imports_are_followed(tmp_path, monkeypatch):
    package = tmp_path / "course_lib"
    package.mkdir()
    for name, text in {
        "used.py": "y = 1",
        "unused.py": "z = 1",
        "method.py": "def f():\n    from course_lib import used\n",
    }.items():
        (package / name).write_text(text)
    monkeypatch.setattr(code, "PACKAGE", package)
    first = code.code_hash(["course_lib.method"])
    (package / "unused.py").write_text("z = 22")
    assert code.code_hash(["course_lib.method"]) == first
    (package / "used.py").write_text("y = 22")
    assert code.code_hash(["course_lib.method"]) != first


def test_the_keys_of_all_jobs_parse_each_file_once():
    """Keys are cheap because no file is parsed twice, however many jobs import it."""
    every = list(jobs())
    code._read.cache_clear()
    assert len({job.key() for job in every}) == len(every)
    assert code._read.cache_info().misses <= len(list(code.PACKAGE.rglob("*.py")))


def test_the_key_follows_the_libraries_that_a_job_imports_and_no_others(monkeypatch):
    every = {f"{job.task}/{job.method}": job for job in jobs()}
    names = {name: code.library_versions(*job.modules()) for name, job in every.items()}
    keys = {name: job.key() for name, job in every.items()}
    assert all(
        {"torch", "numpy", "scipy", "scikit-image"} <= set(found) for found in names.values()
    )
    used = {library for found in names.values() for library in found}
    assert not used & {"tqdm", "papermill", "matplotlib", "course_lib"}
    assert "+" not in "".join(version for found in names.values() for version in found.values())
    for library in ("bm3d", "simpleitk", "monai", "scikit-learn", "torch"):
        monkeypatch.setattr(code, "version", newer(library))
        users = {name for name, found in names.items() if library in {n.lower() for n in found}}
        assert users and {n for n, job in every.items() if job.key() != keys[n]} == users
        monkeypatch.undo()
    assert {n for n, found in names.items() if "bm3d" in found} == {"denoising/bm3d"}


def newer(library):
    """What tells versions where one library is another."""
    from importlib.metadata import version

    return lambda name: "99.0+cpu" if name.lower() == library else version(name)


def test_a_library_of_a_method_from_outside_counts_if_it_is_installed(tmp_path):
    (tmp_path / "mine.py").write_text("import yaml, click, PIL.Image, no_such_library, mine_too")
    (tmp_path / "mine_too.py").write_text("import jinja2")
    folders = {"mine": tmp_path, "mine_too": tmp_path}
    assert set(code.library_versions(["mine"], folders)) == {"click", "jinja2", "pillow"}
