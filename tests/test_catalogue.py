"""The catalogue against the files on disk, and its errors."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from course_lib import catalogue
from course_lib.cli import course
from course_lib.errors import CourseError
from course_lib.files import PACKAGE

ROOT = Path(__file__).parent


def test_every_method_has_its_file_and_every_file_its_method():
    on_disk = {
        (path.parent.name, path.stem)
        for path in (PACKAGE / "methods").glob("*/*.py")
        if path.stem != "__init__"
    }
    assert on_disk == {(entry.section, entry.id) for entry in catalogue.METHODS}


@pytest.mark.parametrize("entry", catalogue.METHODS, ids=lambda entry: entry.id)
def test_entries_name_questions_and_data_sets_of_their_section(entry):
    section = catalogue.section(entry.section)
    assert set(entry.questions) < set(section.questions)  # all of them: leave them out
    known = [d for q in catalogue.questions(entry.section) for d in q.sources]
    assert set(entry.datasets) < set(known)
    assert any(catalogue.fits(entry, dataset) for dataset in known)


REFERENCES = {
    int(row["number"]): row
    for row in csv.DictReader((ROOT / "survey_references.csv").open(encoding="utf-8"))
}


@pytest.mark.parametrize(
    "entry", [e for e in catalogue.METHODS if e.ref], ids=lambda entry: entry.id
)
def test_numbers_are_those_of_the_survey(entry):
    """The survey's reference is the paper that is cited: its first author, its year or the next."""
    said = REFERENCES[entry.ref]
    author, year = entry.cite.split()[0].strip(","), re.search(r"\b\d{4}\b", entry.cite)[0]
    assert author.lower() == said["first_author"].lower()
    assert abs(int(year) - int(said["year"])) <= 1


def test_no_number_stands_for_two_papers():
    numbers = [entry.ref for entry in catalogue.METHODS if entry.ref]
    assert len(numbers) == len(set(numbers)) and len(REFERENCES) == 123
    wrong = replace(catalogue.entry("red_cnn"), ref=101)
    with pytest.raises(AssertionError):
        test_numbers_are_those_of_the_survey(wrong)


@pytest.mark.parametrize("entry", catalogue.METHODS, ids=lambda entry: entry.id)
def test_papers_have_an_identifier_that_their_file_cites(entry):
    source = (PACKAGE / "methods" / entry.section / f"{entry.id}.py").read_text("utf-8")
    if entry.doi:
        assert re.fullmatch(r"10\.\d{4,9}/\S+", entry.doi)
        assert entry.doi.removeprefix("10.48550/arXiv.") in source
    elif entry.ref:
        assert "no doi that we could check" in source


@pytest.mark.parametrize("entry", [e for e in catalogue.METHODS if e.ref], ids=lambda e: e.id)
def test_every_paper_of_the_survey_has_tests_of_its_own(entry):
    file = ROOT / entry.section / f"test_{entry.id}.py"
    assert file.is_file() and "\ndef test_" in file.read_text("utf-8")


def test_ids_are_unique():
    ids = [entry.id for entry in catalogue.METHODS]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("entry", catalogue.METHODS, ids=lambda entry: entry.id)
def test_method_files_say_what_they_are(entry):
    source = (PACKAGE / "methods" / entry.section / f"{entry.id}.py").read_text("utf-8")
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
        catalogue.section("denoisin")
    with pytest.raises(CourseError, match="depth"):
        catalogue.build("red_cnn", depth=3)


OPTIONS = [
    (e.id, name, d) for e in catalogue.METHODS for name, d in catalogue.options(e.id).items()
]


@pytest.mark.parametrize(("method", "option", "default"), OPTIONS)
def test_an_option_of_another_kind_is_refused_and_its_default_taken(method, option, default):
    catalogue.build(method, **{option: default})
    if default is not None:
        other = "many" if not isinstance(default, str) else 3
        with pytest.raises(CourseError, match=re.escape(f"{option!r}")):
            catalogue.build(method, **{option: other})


def test_lists_in_json():
    run = CliRunner().invoke
    methods = json.loads(run(course, ["methods", "--task", "denoising", "--json"]).output)
    assert {"id", "task", "ref", "cite", "doi", "kind", "variants"} <= set(methods[0])
    assert "wgan_vgg" in {row["id"] for row in methods}
    (row,) = json.loads(run(course, ["tasks", "denoising", "--json"]).output)
    assert row["id"] == "denoising" and row["survey"] == "2.1.1"
    low_dose = row["questions"][0]
    assert low_dose["fields"]["low_dose"] == {
        "shape": "N 1 H W",
        "unit": "HU",
        "text": "the slice reconstructed from few photons: the input",
        "where": ["train", "validation", "test", "batch"],
        "dtype": "float32",
        "answer": False,
        "privileged": False,
    }
    assert low_dose["fields"]["normal_dose"]["answer"]
    assert low_dose["facts"]["pixel_mm"] and low_dose["metrics"]["psnr"]["unit"] == "dB"


def test_lists_for_people():
    run = CliRunner().invoke
    every = run(course, ["tasks"]).output
    assert all(name in every for name in catalogue.SECTIONS) and "path:" in every
    one = run(course, ["tasks", "denoising"]).output
    assert "low_dose (N 1 H W, HU): " in one and "super_resolution" not in one


def test_methods_answer_some_questions_only():
    pose, field = catalogue.entry("pose_search"), catalogue.entry("voxelmorph")
    fits = catalogue.fits
    assert fits(field, "path:somewhere") and not fits(pose, "path:somewhere")
    assert fits(pose, "chest_drr/pose") and not fits(field, "chest_drr/pose")
    assert fits(catalogue.entry("median"), "path:somewhere")
