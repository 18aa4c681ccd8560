"""The project's habits: known type errors, docstrings, examples, wrong options, versions, hooks."""

import ast
import doctest
import importlib
import inspect
import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import course_lib
from course_lib import catalogue
from course_lib.errors import CourseError

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "course_lib"
SOURCES = {str(p.relative_to(ROOT)): p.read_text("utf-8") for p in sorted(LIBRARY.rglob("*.py"))}
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]

# How many errors mypy-baseline.txt lists. This number only gets smaller.
TYPE_ERRORS = 170


# ---- types


def test_no_more_type_errors_are_known_than_the_number_that_may_only_shrink():
    known = (ROOT / "mypy-baseline.txt").read_text("utf-8").split("\n")
    known = [line for line in known if line]
    assert len(known) == TYPE_ERRORS, "mended some? lower TYPE_ERRORS. New ones are not put there"
    assert known == sorted(known), "written by `make type-baseline`, not by hand"
    places = {line.split(":")[0] for line in known}
    assert places <= set(SOURCES), f"gone: {places - set(SOURCES)}; run `make type-baseline`"


def test_no_line_is_taken_out_of_the_checks():
    silenced = re.compile(r"#\s*(?:type:\s*ignore|noqa|pyright:|mypy:|ruff:)|@no_type_check")
    assert [path for path, text in SOURCES.items() if silenced.search(text)] == []


def test_the_package_says_that_it_is_typed():
    assert (LIBRARY / "py.typed").read_bytes() == b""


# ---- docstrings

# The dialect: a block `Arguments:`; sentences "Returns …", "Raises X when …", "Source: …".
FOREIGN = re.compile(
    r"^\s*(?:Args|Params|Parameters|Keyword Args|Attributes|Returns?|Yields?|Raises|Examples?)\s*:"
    r"|^\s*(?:Parameters|Returns|Yields|Raises|Attributes|Notes|Examples)\s*\n\s*-{3,}\s*$"
    r"|[:@](?:param|type|returns?|rtype|raises?)\b",
    re.MULTILINE,
)


def docstrings(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node, ast.get_docstring(node) or ""


def test_docstrings_speak_one_dialect():
    foreign = [
        f"{path}, {getattr(node, 'name', 'the module')}: {found[0].strip()}"
        for path, text in SOURCES.items()
        for node, docstring in docstrings(text)
        if (found := FOREIGN.search(docstring))
    ]
    assert foreign == []


@pytest.mark.parametrize(
    ("text", "foreign"),
    [
        ("Adds.\n\nArgs:\n    a: one.", True),
        ("Adds.\n\nReturns:\n    the sum.", True),
        ("Adds.\n\nRaises:\n    CourseError: too large.", True),
        ("Adds.\n\nParameters\n----------\na: one.", True),
        ("Adds.\n\n:param a: one.", True),
        (
            "Adds.\n\nArguments:\n    a: one.\nReturns the sum. Raises CourseError when large.",
            False,
        ),
        ("Adds.\n\nReturns\n    sum   (N,), no unit\n\nSource: Peano 1889.", False),
    ],
)
def test_other_dialects_are_recognised(text, foreign):
    assert bool(FOREIGN.search(text)) == foreign


# ---- examples in docstrings

EXAMPLE = re.compile(r"^\s*>>> ", re.MULTILINE)


@pytest.mark.parametrize("path", [path for path, text in SOURCES.items() if EXAMPLE.search(text)])
def test_examples_in_docstrings_are_right(path):
    name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0
    assert result.attempted == len(EXAMPLE.findall(SOURCES[path])), "some stand where none is run"


# ---- options


def options_of(method):
    """Option → its default, also those that a subclass hands on."""
    found = {}
    for cls in type(method).__mro__:
        signature = inspect.signature(cls.__init__).parameters.values()
        found |= {p.name: p for p in signature if p.name not in found}
        if not any(p.kind is p.VAR_KEYWORD for p in signature):
            return found
    return found


@pytest.mark.parametrize("entry", catalogue.METHODS, ids=lambda entry: entry.id)
def test_a_wrong_option_is_refused_by_one_error(entry):
    with pytest.raises(CourseError, match="no_such_option"):
        catalogue.build(entry.id, no_such_option=1)
    for name, option in options_of(catalogue.build(entry.id)).items():
        if isinstance(option.default, str):  # one of several names
            with pytest.raises(CourseError) as refused:
                catalogue.build(entry.id, **{name: "no such choice"})
            assert not isinstance(refused.value.__cause__, TypeError), "raised as a TypeError"
            assert "no such choice" in str(refused.value), "says what was given"
            assert option.default in str(refused.value), "says what is possible"


# ---- versions


def test_the_version_has_its_heading_in_the_changelog():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    released = [
        re.fullmatch(r"\[(\d+)\.(\d+)\.(\d+)\] - (\d{4}-\d\d-\d\d)", h) for h in headings[1:]
    ]
    assert all(released), headings
    assert course_lib.__version__ == ".".join(released[0].groups()[:3])
    for place in (slice(0, 3), slice(3, 4)):
        order = [
            [int(part.replace("-", "")) for part in match.groups()[place]] for match in released
        ]
        assert order == sorted(order, reverse=True), "newest first"
    groups = set(re.findall(r"^### (.*)$", text, re.MULTILINE))
    assert groups <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == course_lib.__version__


# ---- hooks and the workflow


def test_hooks_call_the_tools_that_constraints_pin():
    """So that a commit and `make lint` are checked by the same versions."""
    assert [repo["repo"] for repo in HOOKS] == ["local"], "another repo would pin its own versions"
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for hook in HOOKS[0]["hooks"]:
        program, first = hook["entry"].split()[:2] if " " in hook["entry"] else (hook["entry"], "")
        assert hook["language"] == "system", "an environment of its own would not be pinned"
        assert program.startswith(".venv/bin/") or program == "make"
        assert program != "make" or re.search(rf"^{first}:", makefile, re.MULTILINE)


def test_hooks_are_pinned_within_their_range():
    pins = re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.M)
    pinned = {name.lower().replace("_", "-"): version for name, version in pins}
    for text in PYPROJECT["project"]["optional-dependencies"]["dev"]:
        requirement = Requirement(text)
        assert requirement.specifier.contains(pinned[requirement.name]), text


def test_the_workflow_calls_what_everyone_calls():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    steps = workflow["jobs"]["test"]["steps"]
    assert ".ci/run" in [step.get("run") for step in steps]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    python = next(s["with"]["python-version"] for s in steps if "setup-python" in s.get("uses", ""))
    assert python == "${{ matrix.python }}"
