"""The notebooks in the repository are the ones that their sources make, clean and short."""

import ast
import json

import pytest

from course_lib.lesson import build as builder
from course_lib.lesson.source import read

ROOT = builder.checkout()
LESSONS = builder.lessons(ROOT)
EACH = pytest.mark.parametrize("lesson", LESSONS, ids=[lesson.name for lesson in LESSONS])
RENDERED = [(path, text) for path, text in builder.rendered(ROOT).items()]
EVERY = pytest.mark.parametrize(
    ("path", "text"), RENDERED, ids=[str(path.relative_to(ROOT)) for path, _ in RENDERED]
)


@EVERY
def test_bytes_match_the_source(path, text):
    assert path.read_bytes() == text.encode(), "Run `course build` and commit what it writes."


def test_no_notebook_without_source():
    assert builder.stale(ROOT) == {}


@EVERY
def test_no_outputs_are_committed(path, text):
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        assert cell.get("outputs", []) == [] and cell.get("execution_count") is None


@EACH
def test_students_see_no_solution_and_have_something_to_do(lesson):
    cells = json.loads(lesson.student.read_text("utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    assert "SOLUTION" not in code
    assert (
        code.count("your code here") == lesson.source.read_text("utf-8").count("BEGIN SOLUTION") > 0
    )


@EACH
def test_no_cell_is_longer_than_a_screen(lesson):
    for cell in read(lesson.source):
        lines = cell.text.splitlines()
        assert len(lines) <= 24, cell.text[:80]
        assert all(len(line) <= 100 for line in lines if "doi.org" not in line)


@EACH
def test_paragraphs_are_short(lesson):
    for cell in read(lesson.source):
        if cell.kind == "markdown":
            for paragraph in cell.text.split("\n\n"):
                if not paragraph.startswith(("-", "1.", "$", "#", "|")):
                    assert len(paragraph.split()) <= 60, paragraph


@EACH
def test_all_code_parses(lesson):
    for path in (lesson.student, lesson.complete):
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                text = "".join(cell["source"])
                assert ast.parse(text, f"{path.name}: {text[:40]}")


@EACH
def test_each_lesson_was_measured_and_keeps_to_the_limits(lesson):
    result = builder.measured(ROOT)[lesson.name]
    assert result["profile"] == "class"
    assert result["slowest_cell_s"] <= 60, "fewer steps, or split the cell"
    assert result["peak_memory_mb"] < 2000


def test_nothing_is_measured_that_is_no_lesson():
    assert set(builder.measured(ROOT)) == {lesson.name for lesson in LESSONS}


def test_a_job_runs_four_kinds_of_cells_and_takes_papermills_parameters():
    cells = json.loads(builder.find(ROOT, "01_denoising").complete.read_text("utf-8"))["cells"]
    job = [
        cell
        for cell in cells
        if cell["cell_type"] == "code" and "lesson" not in cell["metadata"].get("tags", [])
    ]
    text = ["".join(cell["source"]) for cell in job]
    assert [cell["metadata"].get("tags") for cell in job].count(["parameters"]) == 1
    names = {
        target.id
        for cell, source in zip(job, text, strict=True)
        if cell["metadata"].get("tags")
        for node in ast.parse(source).body
        for target in node.targets
    }
    assert names == {
        "task", "method", "dataset", "profile", "seed", "options", "store", "folder"
    }  # fmt: skip
    assert len(job) == 5 and "run_here(" in text[3] and "show.curve(record)" in text[4]
