"""The catalogue against the files on disk, and its errors."""

import json

import pytest
from click.testing import CliRunner

from course_lib import catalogue
from course_lib.cli import course
from course_lib.errors import CourseError
from course_lib.files import PACKAGE


def test_every_method_has_its_file_and_every_file_its_method():
    on_disk = {
        (path.parent.name, path.stem)
        for path in (PACKAGE / "methods").glob("*/*.py")
        if path.stem != "__init__"
    }
    assert on_disk == {(entry.task, entry.id) for entry in catalogue.METHODS}
    files = (PACKAGE / "tasks").glob("*.py")  # some are shared by tasks, no tasks themselves
    tasks = {path.stem for path in files if "\nTASK = Task(" in path.read_text("utf-8")}
    assert tasks == set(catalogue.TASKS)


def test_ids_are_unique():
    ids = [entry.id for entry in catalogue.METHODS]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("entry", catalogue.METHODS, ids=lambda entry: entry.id)
def test_method_files_say_what_they_are(entry):
    source = (PACKAGE / "methods" / entry.task / f"{entry.id}.py").read_text("utf-8")
    assert source.startswith('"""') and "(N, " in source
    if entry.kind != "baseline":
        year = next(word for word in entry.cite.split() if word.strip(",").isdigit()).strip(",")
        assert year in source, "the docstring cites the paper"
    if entry.ref:
        assert "doi" in source
        assert "Shrunk" in source, "the docstring says what was shrunk"


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(CourseError, match="red_cnn"):
        catalogue.build("red_cn")
    with pytest.raises(CourseError, match="denoising"):
        catalogue.task("denoisin")
    with pytest.raises(CourseError, match="depth"):
        catalogue.build("red_cnn", depth=3)


def test_lists_in_json():
    run = CliRunner().invoke
    methods = json.loads(run(course, ["methods", "--task", "denoising", "--json"]).output)
    assert {"id", "task", "ref", "cite", "kind"} <= set(methods[0])
    assert "wgan_vgg" in {row["id"] for row in methods}
    tasks = json.loads(run(course, ["tasks", "--json"]).output)
    assert tasks[0]["id"] == "denoising" and tasks[0]["survey"] == "2.1.1"


def test_methods_for_some_data_sets_say_whether_they_take_the_users_own():
    pose, field = catalogue.entry("pose_search"), catalogue.entry("voxelmorph")
    assert field.fits("path:somewhere") and not pose.fits("path:somewhere")
    assert pose.fits("chest_drr/pose") and not field.fits("chest_drr/pose")
    assert catalogue.entry("median").fits("path:somewhere")
