"""Sources become notebooks: solutions taken out, bytes stable, badges only where they work."""

import io
import json
import shutil
from types import SimpleNamespace

import nbformat
import pytest
from click.testing import CliRunner

from course_lib.cli import lessons as cli
from course_lib.errors import CourseError
from course_lib.lesson import build as builder
from course_lib.lesson import measure
from course_lib.lesson.source import Cell, code_sha, notebook, read, without_solutions

SOURCE = '''\
# %% [markdown]
# # A small lesson
#
# About doubling.

# %%
import os

# %% tags=["parameters"]
profile = os.environ.get("COURSE_PROFILE", "class")
store = "runs"

# %% tags=["lesson"]
def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION


# %% tags=["lesson"]
print(profile, double(4))
'''
GITHUB = "https://github.com/someone/course"


@pytest.fixture
def root(tmp_path):
    """A checkout with one lesson and no address."""
    (tmp_path / "solutions" / "01_x").mkdir(parents=True)
    (tmp_path / "solutions" / "01_x" / "01_small.py").write_text(SOURCE, "utf-8")
    publish(tmp_path, "")
    return tmp_path


def publish(root, address):
    (root / "pyproject.toml").write_text(f'[tool.course]\nrepository = "{address}"\n', "utf-8")


def built(root, folder):
    return nbformat.read(root / folder / "01_x" / "01_small.ipynb", as_version=4)


def test_students_get_an_open_body_and_teachers_the_answer(root):
    builder.build(root)
    student, complete = built(root, "notebooks"), built(root, "solutions")
    nbformat.validate(student)
    nbformat.validate(complete)
    assert "2 * x" not in json.dumps(student) and "SOLUTION" not in json.dumps(student)
    body = next(cell.source for cell in student.cells if "def double" in cell.source)
    assert body.splitlines()[-1] == "    ...  # your code here"
    assert "return 2 * x" in json.dumps(complete)
    assert [cell.metadata for cell in student.cells] == [cell.metadata for cell in complete.cells]


def test_tags_reach_the_notebook(root):
    builder.build(root)
    tags = [cell.metadata.get("tags") for cell in built(root, "solutions").cells]
    assert tags == [None, None, None, ["parameters"], ["lesson"], ["lesson"]]


def test_same_bytes_again_and_nothing_written_twice(root):
    written = builder.build(root)
    before = {path: path.read_bytes() for path in written}
    assert len(written) == 2 and builder.build(root) == []
    for path in written:
        path.unlink()
    builder.build(root)
    assert {path: path.read_bytes() for path in written} == before


def test_ids_stay_when_a_cell_is_put_before_and_twins_differ():
    cells = [Cell("code", "a = 1"), Cell("code", "a = 1"), Cell("markdown", "b")]
    ids = [cell["id"] for cell in json.loads(notebook(cells))["cells"]]
    longer = json.loads(notebook([Cell("markdown", "new"), *cells]))["cells"]
    assert len(set(ids)) == 3
    assert [cell["id"] for cell in longer[1:]] == ids


def test_check_names_each_fault_and_fails(root, monkeypatch):
    monkeypatch.setattr(builder, "checkout", lambda: root)
    run = CliRunner()
    missing = run.invoke(cli.build, ["--check"])
    assert missing.exit_code == 1 and "01_small.ipynb is missing" in missing.output
    assert run.invoke(cli.build).exit_code == 0
    assert run.invoke(cli.build, ["--check"]).exit_code == 0
    student = root / "notebooks" / "01_x" / "01_small.ipynb"
    student.write_text(student.read_text("utf-8").replace("your code", "my code"), "utf-8")
    shutil.copy(student, root / "notebooks" / "old.ipynb")
    stale = run.invoke(cli.build, ["--check"])
    assert stale.exit_code == 1
    assert "notebooks/01_x/01_small.ipynb differs from its source" in stale.output
    assert "notebooks/old.ipynb has no source" in stale.output
    assert "solutions" not in stale.output


def test_what_runs_leave_behind_is_no_fault(root):
    builder.build(root)
    for folder in ("runs/abc", ".ipynb_checkpoints"):
        (root / "notebooks" / "01_x" / folder).mkdir(parents=True)
        (root / "notebooks" / "01_x" / folder / "notebook.ipynb").write_text("{}")
    assert builder.stale(root) == {}


def test_without_an_address_no_badge_and_kind_words(root):
    builder.build(root)
    first, install = built(root, "notebooks").cells[:2]
    assert first.source.startswith("# A small lesson\n\n**Time")
    assert "colab" not in first.source.lower() and "binder" not in first.source.lower()
    with pytest.raises(ModuleNotFoundError, match="make lab"):
        exec(install.source.replace("'course_lib'", "'no_such_package'"), {})
    exec(install.source, {})


def test_with_an_address_badges_and_an_installing_cell(root, monkeypatch):
    publish(root, GITHUB + ".git")
    builder.build(root)
    first, install = built(root, "notebooks").cells[:2]
    path = "notebooks/01_x/01_small.ipynb"
    colab = "https://colab.research.google.com/github/someone/course/blob/main/"
    assert f"({colab}{path})" in first.source
    assert f"(https://mybinder.org/v2/gh/someone/course/main?urlpath=lab/tree/{path})" in (
        first.source
    )
    commands, asked = [], []

    def answer(url):
        asked.append(url)
        return io.BytesIO(b"# pins\nnumpy==9.9\nno_such-thing==1.0\n")

    monkeypatch.setattr("subprocess.run", lambda command, check: commands.append(command))
    monkeypatch.setattr("urllib.request.urlopen", answer)
    monkeypatch.chdir(root)
    exec(install.source, {})
    assert commands == [] and asked == []
    missing = install.source.replace("'course_lib'", "'no_such_package'")
    exec(missing, {})
    assert commands[0][1:4] == ["-m", "pip", "install"] and commands[0][-1] == f"git+{GITHUB}"
    assert asked == ["https://raw.githubusercontent.com/someone/course/main/constraints.txt"]
    # What is here stays; the rest is pinned.
    assert commands[0][-3:-1] == ["-c", "course-pins.txt"]
    assert (root / "course-pins.txt").read_text() == "no_such-thing==1.0"


def test_the_installing_cell_asks_for_a_restart_when_numpy_was_renewed(root, monkeypatch):
    publish(root, "https://codeberg.org/someone/course")
    builder.build(root)
    install = built(root, "notebooks").cells[1].source
    found = [SimpleNamespace(name="numpy", version="2.0.2")]
    monkeypatch.setattr("importlib.metadata.distributions", lambda: list(found))

    def renew(command, check):
        found[0] = SimpleNamespace(name="numpy", version="2.3.5")

    monkeypatch.setattr("subprocess.run", renew)
    with pytest.raises(SystemExit, match="Restart the session"):
        exec(install.replace("'course_lib'", "'no_such_package'"), {})


def test_an_address_elsewhere_installs_but_has_no_colab(root):
    publish(root, "https://codeberg.org/someone/course")
    builder.build(root)
    first, install = built(root, "notebooks").cells[:2]
    assert "colab" not in first.source.lower()
    assert "git+https://codeberg.org/someone/course" in install.source
    assert "constraints" not in install.source


@pytest.mark.parametrize("address", ["github.com/x/y", "https://x", "https://a/b'); import os; ('"])
def test_a_bad_address_is_refused(root, address):
    publish(root, address)
    with pytest.raises(CourseError, match="repository"):
        builder.build(root)


def test_unpaired_marks_are_refused(root):
    path = root / "solutions" / "01_x" / "01_small.py"
    path.write_text(SOURCE.replace("    ### END SOLUTION\n", ""))
    with pytest.raises(CourseError, match="END SOLUTION"):
        builder.build(root)


def test_two_solutions_in_one_cell_keep_what_stands_between():
    lines = ["### BEGIN SOLUTION", "a", "### END SOLUTION", "kept"]
    lines += ["  ### BEGIN SOLUTION", "  b", "  ### END SOLUTION"]
    (cell,) = without_solutions([Cell("code", "\n".join(lines))])
    assert cell.text == "...  # your code here\nkept\n  ...  # your code here"


def test_measured_numbers_reach_the_badge_and_age_with_the_code(root):
    lesson = builder.find(root, "small")
    result = measure.record(lesson_built(root, lesson), keep=root / "kept")
    assert nbformat.read(root / "kept" / f"{lesson.name}.ipynb", 4).metadata.papermill.duration > 0
    assert result["slowest_cell_s"] <= result["seconds"] < 60
    assert 20 < result["peak_memory_mb"] < 4000
    builder.build(root)
    row = built(root, "notebooks").cells[0].source
    assert f"**Time** {result['seconds']:.0f} s" in row and "earlier version" not in row
    lesson.source.write_text(SOURCE.replace("About doubling", "On doubling"))
    assert code_sha(read(lesson.source)) == result["code"]
    lesson.source.write_text(SOURCE.replace("2 * x", "x + x"))
    builder.build(root)
    assert "earlier version" in built(root, "notebooks").cells[0].source


def test_measuring_a_broken_lesson_says_what_broke(root):
    lesson = builder.find(root, "small")
    lesson.source.write_text(SOURCE.replace("return 2 * x", "return 1 / 0"))
    with pytest.raises(CourseError, match="ZeroDivisionError"):
        measure.record(lesson_built(root, lesson), keep=root / "kept")
    assert "ZeroDivisionError" in (root / "kept" / f"{lesson.name}.ipynb").read_text("utf-8")
    assert not (root / builder.MEASURED).exists()


def lesson_built(root, lesson):
    builder.build(root)
    return lesson


def test_unknown_lessons_are_named(root):
    with pytest.raises(CourseError, match="01_x/01_small"):
        builder.find(root, "large")
