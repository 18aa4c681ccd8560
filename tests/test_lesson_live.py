"""Quizzes, widgets and figures: right, quick, and readable without a kernel or eyes."""

import copy
import time

import numpy as np
import pytest
import torch

from course_lib.benchmark.downloads import compact
from course_lib.benchmark.leaderboard import sections
from course_lib.benchmark.store import digest, write_json
from course_lib.errors import CourseError
from course_lib.lesson import dataset_here, questions, quiz, show
from course_lib.lesson.picture import Table
from course_lib.lesson.quiz import Option, Question, Quiz
from course_lib.lesson.shelf import names
from course_lib.lesson.widgets.dose import DoseScan, dose_explorer
from course_lib.lesson.widgets.slices import slice_explorer
from tests import synthetic_records

ALL = [q for name in names(questions) for q in quiz(name).questions]


@pytest.mark.parametrize("question", ALL, ids=[question.text[:40] for question in ALL])
def test_each_question_has_one_right_answer_and_feedback_for_all(question):
    assert sum(option.right for option in question.options) == 1
    assert len(question.options) >= 3
    assert all(len(option.feedback) > 10 for option in question.options)
    assert len({option.text for option in question.options}) == len(question.options)


def test_the_right_answer_is_not_always_at_the_same_place():
    places = {[o.right for o in question.options].index(True) for question in ALL}
    assert len(places) > 1


def test_two_right_answers_are_refused():
    with pytest.raises(CourseError, match="exactly one"):
        Question("Which?", (Option("a", "yes", right=True), Option("b", "yes", right=True)))


def test_quiz_widget_answers_the_chosen_option():
    question = Question("1 < 2?", (Option("yes", "So it is."), Option("no", "Count.", right=True)))
    (row,) = Quiz((question,)).widget().children
    _, choice, button, said = row.children
    button.click()
    assert "Choose" in said.value
    choice.value = 1
    button.click()
    assert "✔ Right. Count." in said.value and 'role="status"' in said.value
    choice.value = 0
    button.click()
    assert "✘" in said.value


def test_quiz_reads_as_widget_page_and_text():
    bundle = quiz("denoising")._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/html"].count("<details>") == sum(
        len(question.options) for question in quiz("denoising").questions
    )
    assert "right" not in bundle["text/plain"].splitlines()[1].lower()
    with pytest.raises(CourseError, match="denoising"):
        quiz("nothing")


@pytest.fixture(scope="module")
def disc():
    """Water in air: a body of 200 mm, HU."""
    line = (torch.arange(128) - 63.5) * 2.8
    inside = line[:, None] ** 2 + line**2 < 100**2
    return torch.where(inside, 0.0, -1000.0)


def test_noise_falls_with_the_root_of_the_dose(disc):
    scan = DoseScan(disc, 2.8)
    low, high = (scan(photons, 1, "ram-lak")[2] for photons in (1e5, 4e5))
    assert low / high == pytest.approx(2, rel=0.05)


def test_unused_views_change_noise_but_not_brightness(disc):
    scan = DoseScan(disc, 2.8)
    full, sparse = (scan(1e6, every, "ram-lak") for every in (1, 6))
    assert sparse[2] > 1.5 * full[2]
    assert full[0][scan.roi, scan.roi].mean() == pytest.approx(0, abs=15)
    assert sparse[0][scan.roi, scan.roi].mean() == pytest.approx(0, abs=15)


def test_dose_explorer_moves_and_stands_still(disc):
    explorer = dose_explorer(disc[None, None], 2.8)
    assert not explorer.controls["photons"].continuous_update
    before = explorer.screen.value
    explorer.controls["photons"].value = 1e3
    assert explorer.screen.value != before
    bundle = explorer._repr_mimebundle_()
    assert bundle["image/png"].startswith("iVBOR") and 'alt="' in bundle["text/html"]
    assert "1,000 photons" in bundle["text/plain"]


def test_dose_explorer_is_quick(disc):
    """0.3 s at 256 x 256 on a free core; processor time, so that a busy machine does not fail."""
    big = torch.nn.functional.interpolate(disc[None, None], size=256)
    explorer = dose_explorer(big, 1.4)
    start = time.process_time()
    explorer.controls["photons"].value = 1e4
    assert time.process_time() - start < 0.6


def test_slice_explorer_follows_the_preset(disc):
    volume = torch.stack([disc, disc - 50, disc]).numpy()
    explorer = slice_explorer(volume, (2.5, 0.7, 0.7), "A disc")
    explorer.controls["window"].value = "lung"
    assert explorer.controls["centre"].value == -600
    assert "from -1350 HU" in explorer.picture.alt
    explorer.controls["slice_number"].value = 2
    assert "slice 2 of 2" in explorer.picture.alt


def file(store, record):
    """Puts a record into a store, with its checksum."""
    place = store / record["key"][:20] / "record.json"
    write_json(place, record | {"sha256": digest(write_json(place, record))})


@pytest.fixture
def store(tmp_path):
    records = synthetic_records.records(tmp_path, seeds=1, fail=False)
    for record in records:
        file(tmp_path, record)
    return tmp_path, {record["job"]["method"]: record for record in records}


def test_curve_of_a_network_and_of_a_filter(store):
    _, records = store
    assert "In 400 steps".lower() in show.curve(records["red_cnn"]).alt.lower()
    assert "does not learn" in show.curve(records["bm3d"]).alt
    assert show.curve(records["bm3d"]).png[1:4] == b"PNG"
    # Trained in stages, whose losses have other names.
    staged = copy.deepcopy(records["red_cnn"])
    for row in staged["curve"][len(staged["curve"]) // 2 :]:
        row["losses"] = {"refine": 1.0}
    drawn = show.curve(staged).figure.axes[0]
    assert [text.get_text() for text in drawn.get_legend().get_texts()] == ["network", "refine"]
    assert all(np.isfinite(line.get_ydata()).any() for line in drawn.lines)


def test_terms_of_a_loss_are_drawn_beside_it(store):
    _, records = store
    record = copy.deepcopy(records["wgan_vgg"])
    for row in record["curve"][4:]:  # a term of a later stage
        row["terms"]["adversarial"] = -0.25
    picture = show.curve(record)
    axis = picture.figure.axes[0]
    lines = {line.get_label(): line for line in axis.lines}
    assert set(lines) == {"network", "term perceptual", "term pixel", "term adversarial"}
    assert len({line.get_color() for line in lines.values()}) == 4
    assert all(line.get_linestyle() == "--" for name, line in lines.items() if "term" in name)
    assert lines["network"].get_linestyle() == "-"
    assert np.isnan(lines["term adversarial"].get_ydata()).sum() == 4
    assert axis.get_yscale() == "linear", "a term below zero has no logarithm"
    assert "perceptual from 0.5 to 0.0625" in picture.alt
    assert "adversarial from -0.25 to -0.25" in picture.alt
    assert "Terms" not in show.curve(records["red_cnn"]).alt


def test_strip_shows_the_median_unseen_case_from_store_or_folder(store):
    folder, records = store
    record = records["red_cnn"]
    scores = sorted(
        (case["scores"]["psnr"], case["case"])
        for case in record["cases"]
        if case["group"] == "other patients"
    )
    case = scores[(len(scores) - 1) // 2][1]
    assert case in show.strip(record, folder).alt
    assert case in show.strip(record, folder / record["key"][:20]).alt
    assert show.outputs({"A": record, "B": records["bm3d"]}, folder).png[1:4] == b"PNG"


def test_trade_off_names_methods_and_numbers(store):
    _, records = store
    points = {name: show.mean_scores(record) for name, record in records.items()}
    picture = show.trade_off(points, "nps_distance", "psnr", records["bm3d"]["metrics"])
    assert f"bm3d: {points['bm3d']['nps_distance']:.1f}" in picture.alt
    assert picture.png[1:4] == b"PNG"


def test_leaderboard_ranks_the_store(store):
    folder, _ = store
    table = show.leaderboard("denoising", folder)
    means = [float(row[1]) for row in table.rows if row[-1] == "your runs, class"]
    assert len(means) == 5 and means == sorted(means, reverse=True)


def test_leaderboard_puts_own_runs_between_those_of_the_benchmark(store, tmp_path, monkeypatch):
    folder, records = store
    module = tmp_path / "lesson" / "results.py"
    ranking = compact(sections(records.values(), synthetic_records.catalogue()), "Default")
    (module.parent / "leaderboards").mkdir(parents=True)
    write_json(module.parent / "leaderboards" / "denoising.json", ranking)
    monkeypatch.setattr("course_lib.lesson.board.__file__", str(module))
    table = show.leaderboard("denoising", folder)
    assert [row[-1] for row in table.rows].count("benchmark, class") == 5
    assert len(table.rows) == 10
    ranking["sections"][0]["profile"] = "full"
    write_json(module.parent / "leaderboards" / "denoising.json", ranking)
    table = show.leaderboard("denoising", folder)
    assert {row[-1] for row in table.rows} == {"benchmark, full"}


def test_leaderboard_ranks_the_answers_to_one_question(store, tmp_path, monkeypatch):
    """Runs on the user's own data, another question, stand on a board of their own."""
    folder, records = store
    monkeypatch.setattr("course_lib.lesson.board.__file__", str(tmp_path / "no_ranking.py"))
    for name, record in records.items():
        job = {**record["job"], "dataset": "path:mine"}
        file(folder, {**record, "job": job, "key": name.encode().hex()[:40]})
    for dataset in (None, "chest_ct+lung_tumours", "path:mine"):
        rows = show.leaderboard("denoising", folder, dataset).rows
        assert [row[-1] for row in rows] == ["your runs, class"] * 5


@pytest.mark.parametrize(
    ("subjects", "said"),
    [(2, "2 subjects: too few for an interval"), (4, "4 subjects; an interval holds the true")],
)
def test_leaderboard_says_on_how_many_subjects_it_rests(tmp_path, monkeypatch, subjects, said):
    monkeypatch.setattr("course_lib.lesson.board.__file__", str(tmp_path / "no_ranking.py"))
    for record in synthetic_records.records(tmp_path, {"others": subjects}, seeds=1, fail=False):
        file(tmp_path, record)
    table = show.leaderboard("denoising", tmp_path)
    assert said in table.caption and "95%" not in " ".join([table.caption, *table.head])


def test_leaderboard_of_an_empty_store_stands(tmp_path):
    assert "Denoising" in repr(show.leaderboard("denoising", tmp_path))


@pytest.mark.parametrize(
    ("fetched", "expected"),
    [
        ({"chest_ct", "lung_tumours"}, "chest_ct+lung_tumours"),
        ({"chest_ct"}, "chest_ct"),
        (set(), "chest_ct+lung_tumours"),
    ],
)
def test_a_lesson_runs_without_the_set_that_is_not_for_commerce(monkeypatch, fetched, expected):
    monkeypatch.setattr("course_lib.data.fetch.is_fetched", fetched.__contains__)
    assert dataset_here("denoising") == expected


def test_tables_escape_and_align():
    table = Table("T", ["a", "b"], [["<b>", None], [1, 2.5]])
    assert "&lt;b&gt;" in table._repr_html_() and '<th scope="col"' in table._repr_html_()
    assert repr(table).splitlines()[2] == "<b>"
