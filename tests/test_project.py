"""The project as a whole: pins that agree, imports that stay light, addresses in one place."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SOURCES = sorted((ROOT / "course_lib").rglob("*.py"))


def normal(name):
    return name.lower().replace("_", "-")


def pins(lines):
    found = (re.fullmatch(r"\s*([\w.-]+)==([\w.+-]+)\s*", line) for line in lines)
    return {normal(match[1]): match[2] for match in found if match}


CONSTRAINTS = pins((ROOT / "constraints.txt").read_text("utf-8").splitlines())


def required(group):
    return [normal(re.split(r"[<>=\[]", name)[0]) for name in group]


def test_every_dependency_is_pinned_within_its_range():
    from packaging.requirements import Requirement

    extras = PYPROJECT["project"]["optional-dependencies"]
    for text in PYPROJECT["project"]["dependencies"] + extras["test"] + extras["lab"]:
        requirement = Requirement(text)
        version = CONSTRAINTS[normal(requirement.name)]
        assert requirement.specifier.contains(version), f"{text} against {version}"
    assert CONSTRAINTS["torch"] == "2.13.0"


def test_conda_environment_agrees_with_constraints():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    pip = next(part["pip"] for part in environment["dependencies"] if isinstance(part, dict))
    assert {name: CONSTRAINTS[name] for name in pins(pip)} == pins(pip)
    extra = PYPROJECT["project"]["optional-dependencies"]["lab"]
    needed = set(required(PYPROJECT["project"]["dependencies"] + extra)) - {"torch"}
    assert set(pins(pip)) == needed
    assert not (ROOT / "binder" / "environment.yml").is_symlink(), "a line of text on Windows"
    assert (ROOT / "binder" / "environment.yml").read_text("utf-8") == (
        ROOT / "environment.yml"
    ).read_text("utf-8")


PYTHONS = [f"3.{minor}" for minor in (11, 12, 13, 14)]


def test_every_python_is_named_wherever_one_is_chosen():
    declared = [c.split(" :: ")[-1] for c in PYPROJECT["project"]["classifiers"] if ":: 3." in c]
    assert declared == PYTHONS
    assert PYPROJECT["project"]["requires-python"] == f">={PYTHONS[0]}", "no cap"
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert all(f"python{version} " in makefile for version in PYTHONS)
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == PYTHONS


def test_every_package_that_is_imported_is_a_dependency():
    """And the other way round: what is a dependency is imported."""
    names = {
        "pyyaml": "yaml",
        "pillow": "PIL",
        "scikit-image": "skimage",
        "scikit-learn": "sklearn",
    }
    names |= {"simpleitk": "SimpleITK"}
    core = {names.get(name, name) for name in required(PYPROJECT["project"]["dependencies"])}
    used = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                used |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                used.add(node.module.partition(".")[0])
    used -= set(sys.stdlib_module_names) | {"course_lib"}
    brought = {"IPython", "nbformat", "nbclient", "jupyter_client"}  # by ipykernel, papermill
    only_to_build, extra = {"jupytext"}, {"h5py"}  # h5py: the extra kspace
    assert used - core <= brought | only_to_build | extra, used - core
    assert core - used <= {"medmnist"}, core - used  # its files are read, it is never imported


def test_the_repository_address_stands_in_one_place():
    address = re.compile(r"github\.com/[\w-]+/[\w-]*(?:imaging-course|course)[\w-]*")
    repository = PYPROJECT["tool"]["course"]["repository"]
    for path in [*SOURCES, *(ROOT / "solutions").rglob("*.py"), ROOT / "environment.yml"]:
        text = path.read_text("utf-8")
        assert not repository or repository not in text, path
        assert not address.search(text), path


@pytest.mark.parametrize("module", ["course_lib", "course_lib.cli"])
def test_imports_stay_light(module):
    heavy = ["torch", "monai", "numpy", "matplotlib", "medmnist", "torchvision"]
    script = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, encoding="utf-8")
    assert result.stdout.strip() == "[]", result.stdout + result.stderr


def test_nothing_imports_what_breaks_beside_the_cpu_build():
    forbidden = re.compile(
        r"^\s*(?:import|from) (?:torchvision|lightning|torchmetrics|kornia|deepinv)\b", re.M
    )
    guilty = [path for path in SOURCES if forbidden.search(path.read_text("utf-8"))]
    assert not guilty


def test_nothing_loads_pickles():
    risky = re.compile(
        r"pickle\.load|allow_pickle=True|weights_only=False|torch\.load\((?!.*weights_only)"
    )
    guilty = [path for path in SOURCES if risky.search(path.read_text("utf-8"))]
    assert not guilty


# Room → the rooms it may import from: downward only.
GROUND = {"cases", "code", "device", "errors", "files", "metrics", "physics"}
ALLOWED = {
    **{room: GROUND for room in GROUND},
    "data": GROUND,
    "parts": GROUND | {"data"},
    "tasks": GROUND | {"data", "parts"},
    "methods": GROUND | {"data", "parts"},
    "learning": GROUND | {"methods"},
    "fit": GROUND | {"learning", "methods", "tasks"},
    "catalogue": GROUND | {"methods", "tasks"},
    "benchmark": GROUND | {"catalogue", "data", "fit", "learning", "methods", "tasks"},
}
# Within the ground: errors and files below all, physics and metrics beside each other.
BELOW = {"errors": set(), "files": {"errors"}, "code": {"files"}, "cases": {"errors"}}


def test_imports_run_downward():
    for path in SOURCES:
        parts = path.relative_to(ROOT / "course_lib").with_suffix("").parts
        if parts[0] not in ALLOWED:
            continue
        names = re.findall(r"^\s*(?:from|import) course_lib\.(\w+)", path.read_text("utf-8"), re.M)
        allowed = BELOW.get(parts[0], ALLOWED[parts[0]])
        upward = set(names) - allowed - {parts[0]}
        assert not upward, f"{path.name} imports {upward}"


def test_parts_of_a_section_stay_in_it():
    """What lies in `parts/<section>` serves that section, or it lies too deep."""
    sections = {path.name for path in (ROOT / "course_lib" / "tasks").iterdir() if path.is_dir()}
    for path in SOURCES:
        room, *rest = path.relative_to(ROOT / "course_lib").with_suffix("").parts
        if room not in ("methods", "tasks", "parts"):
            continue
        used = set(re.findall(r"course_lib\.parts\.(\w+)\.", path.read_text("utf-8"))) & sections
        assert used <= {rest[0]}, f"{path.name} uses parts of {used - {rest[0]}}"


def test_methods_do_not_import_tasks_nor_each_others_tasks():
    for path in (ROOT / "course_lib" / "methods").glob("*/*.py"):
        names = re.findall(r"course_lib\.methods\.(\w+)", path.read_text("utf-8"))
        assert set(names) <= {"base", path.parent.name}, path


def test_library_files_are_documented_and_short():
    for path in SOURCES:
        text = path.read_text("utf-8")
        assert text.count("\n") <= 300, f"{path} is too long"
        assert not text.strip() or text.startswith(('"""', "'''")), f"{path} has no docstring"
