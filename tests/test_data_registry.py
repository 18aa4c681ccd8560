"""The registry, its cards, and the commands that show them."""

import json
import re

import pytest
from click.testing import CliRunner

from course_lib.cli.data import data
from course_lib.data import derived, fetch, registry
from course_lib.errors import CourseError
from course_lib.files import resource

CARD_PARTS = (
    "What",
    "Who made it",
    "How it was acquired",
    "Licence",
    "Consent and ethics",
    "Split in this course",
    "Known faults",
    "Citation",
)


@pytest.mark.parametrize("data_set", registry.data_sets().values(), ids=lambda entry: entry.name)
def test_entry_and_card_are_complete(data_set):
    known = f"{data_set.package.replace('-', '_')}-{data_set.version}"
    assert data_set.archive.startswith(f"{known}-") or data_set.archive == f"{known}.tar.gz"
    for digest in [data_set.sha256, *(files.sha256 for files in data_set.files)]:
        assert re.fullmatch("[0-9a-f]{64}", digest)
    assert data_set.licence and data_set.citation
    card = (resource("datasets") / data_set.card).read_text(encoding="utf-8")
    assert card.startswith(f"# {data_set.name}\n")
    assert [part for part in CARD_PARTS if f"\n## {part}\n" not in card] == []
    doi = re.search(r"doi:(\S+)|arXiv:(\S+)", data_set.citation)
    assert (doi[1] or doi[2]) in card


def test_no_card_without_a_data_set():
    cards = {card.stem for card in (resource("datasets") / "cards").glob("*.md")}
    assert cards == set(registry.data_sets()) | {"medmnist", "msd", "anatomy", "lesions"}


def test_everything_but_the_optional_is_chosen_by_default():
    names = {data_set.name for data_set in registry.chosen()}
    assert "hippocampus_t1t2" not in names and "lung_tumours" in names
    assert registry.chosen(("hippocampus_t1t2",))[0].optional


def test_without_leaves_out_and_checks_the_name():
    names = {data_set.name for data_set in registry.chosen(without=("lung_tumours",))}
    assert "lung_tumours" not in names and "chest_ct" in names
    with pytest.raises(CourseError, match="Did you mean lung_tumours"):
        registry.chosen(without=("lung_tumors",))


def test_only_the_tumours_are_non_commercial():
    marked = [entry.name for entry in registry.data_sets().values() if entry.non_commercial]
    assert marked == ["lung_tumours"]


def test_list_shows_licences_and_marks_the_non_commercial_one(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    shown = CliRunner().invoke(data, ["list"])
    assert shown.exit_code == 0
    for data_set in registry.data_sets().values():
        assert data_set.name in shown.output and data_set.licence in shown.output
    assert "CC BY-NC 3.0 *" in shown.output and " yes " not in shown.output

    rows = json.loads(CliRunner().invoke(data, ["list", "--json"]).output)
    assert [row["name"] for row in rows] == list(registry.data_sets())
    assert not any(row["fetched"] for row in rows)


def test_fetch_command_fetches_what_was_chosen(monkeypatch):
    fetched = []
    monkeypatch.setattr(fetch, "fetch", fetched.append)
    done = CliRunner().invoke(data, ["fetch", "--without", "lung_tumours", "--without", "nuclei"])
    assert done.exit_code == 0
    assert fetched == [
        "chest_ct",
        "lidc_annotations",
        "brain_mni",
        "brain_donors",
        "imagenet_weights",
    ]


def test_doctor_command_fails_only_if_something_is_wrong(monkeypatch):
    good = fetch.Finding("nuclei", "ok", "", "", "CC0 1.0")
    never = fetch.Finding("chest_ct", "never fetched", "a download", "course data fetch x", "CC")
    bad = fetch.Finding("chest_ct", "damaged", "cxr.nii.gz damaged", "course data fetch y", "CC")
    monkeypatch.setattr(derived, "doctor", list)
    monkeypatch.setattr(fetch, "doctor", lambda: [good, never])
    assert CliRunner().invoke(data, ["doctor"]).exit_code == 0
    monkeypatch.setattr(fetch, "doctor", lambda: [good, bad])
    told = CliRunner().invoke(data, ["doctor"])
    assert told.exit_code == 1
    assert "cxr.nii.gz damaged" in told.output and "course data fetch y" in told.output
