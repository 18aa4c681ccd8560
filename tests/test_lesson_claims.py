"""Claims with three verdicts, and guesses that are kept."""

import ast
import copy
import json
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from course_lib.lesson import guess, show
from tests import synthetic_records

ROOT = Path(__file__).parents[1]


@lru_cache
def some_record():
    with tempfile.TemporaryDirectory() as folder:
        return synthetic_records.records(folder, seeds=1, fail=False)[0]


def run(scores, profile="class", better="higher", subjects=None, group="others"):
    """A record in which each subject has one case with this score."""
    made = copy.deepcopy(some_record())
    made["job"]["profile"] = profile
    made["headline"] = "psnr"
    made["metrics"] = {"psnr": {"unit": "dB", "better": better, "text": ""}}
    names = subjects or [f"s{k:02}" for k in range(len(scores))]
    made["cases"] = [
        {"case": name, "subject": name, "group": group, "scores": {"psnr": value}}
        for name, value in zip(names, scores, strict=True)
    ]
    return made


MANY = np.random.default_rng(0).normal(30, 1, 12)


def test_a_clear_difference_over_many_subjects_is_as_claimed():
    said = show.claim("A beats B", run(MANY + 2), run(MANY), "psnr")
    assert "a difference of 2.0 dB (" in said and said.endswith("p = 0.00049).")
    assert ": as claimed (12 test subjects" in said


def test_the_contrary_is_not_as_claimed():
    assert ": NOT as claimed (12" in show.claim("A beats B", run(MANY - 2), run(MANY), "psnr")


def test_where_lower_is_better_the_lower_score_holds_the_claim():
    ours, theirs = run(MANY - 2, better="lower"), run(MANY, better="lower")
    assert ": as claimed" in show.claim("A is nearer", ours, theirs, "psnr")


def test_noise_cannot_tell():
    noisy = MANY + np.resize([1.0, -1.2, 0.3, -0.2], 12)
    assert ": cannot tell (12 test subjects, p = " in show.claim("A", run(noisy), run(MANY), "psnr")


@pytest.mark.parametrize(("count", "p"), [(2, "0.5"), (4, "0.12"), (5, "0.062")])
def test_few_subjects_can_never_tell_and_the_sentence_says_why(count, p):
    said = show.claim("A", run(MANY[:count] + 9), run(MANY[:count]), "psnr")
    assert f"cannot tell ({count} test subjects: even if all agree, p is {p}, above 0.05)" in said


def test_smoke_gives_no_verdict():
    said = show.claim("A", run(MANY + 2, "smoke"), run(MANY, "smoke"), "psnr")
    assert "no verdict in `smoke`" in said and "as claimed" not in said


def test_other_test_subjects_are_no_pairs():
    others = [f"x{k}" for k in range(12)]
    said = show.claim("A", run(MANY + 2), run(MANY, subjects=others), "psnr")
    assert "cannot tell, the test subjects are not the same" in said


def test_gains_are_compared_as_gains():
    spread = np.linspace(-3, 3, 12)
    more = (run(MANY + spread + 2), run(MANY + spread))
    less = (run(MANY - spread + 1), run(MANY - spread))
    said = show.claim("The gain is larger", more, less, "psnr")
    assert "2.0 against 1.0 dB" in said and ": as claimed" in said


def test_what_is_undefined_is_said_to_be():
    said = show.claim("A", run([None, None]), run([1.0, 2.0]), "psnr")
    assert "not defined in this run" in said
    assert "not defined" in show.seen("A", float("nan"), 1.0, "dB")


def test_single_numbers_are_seen_and_not_judged():
    assert "so it looks here, but cannot tell" in show.seen("A", 2, 1, "dB")
    assert "here it does not look so" in show.seen("A", 1, 2, "dB")


# ---- guesses


AMONG = ("A", "B")


def test_a_guess_is_kept_and_compared(tmp_path):
    kept = guess.winner("x.y", "A", 1.5, AMONG, "dB", tmp_path)
    assert repr(kept).startswith("✎ Your guess. A, by 1.5 dB.")
    said = repr(guess.compare("x.y", {"A": 30.0, "B": 29.0}, "dB", tmp_path))
    assert "You guessed A, by 1.5 dB. It came: A with 30.0 dB, 1.0 dB ahead of B." in said
    assert "The winner is yours" in said
    assert "surprise" in repr(guess.compare("x.y", {"A": 28.0, "B": 29.0}, "dB", tmp_path))
    lower = guess.compare("x.y", {"A": 28.0, "B": 29.0}, "mm", tmp_path, better="lower")
    assert "The winner is yours" in repr(lower)


def test_guesses_of_one_store_stand_side_by_side_and_the_last_one_counts(tmp_path):
    for name, who in (("x.y", "A"), ("x.z", "B"), ("x.y", "B")):
        guess.winner(name, who, None, AMONG, "dB", tmp_path)
    kept = json.loads((tmp_path / guess.FILE).read_text("utf-8"))
    assert {name: each["guess"] for name, each in kept.items()} == {"x.y": "B", "x.z": "B"}


def test_without_a_guess_the_lesson_goes_on(tmp_path):
    assert repr(guess.winner("x.y", "", None, AMONG, "dB", tmp_path)).startswith("○ Still open")
    assert not (tmp_path / guess.FILE).exists()
    assert "No guess was written. It came: B" in repr(
        guess.compare("x.y", {"A": 1.0, "B": 2.0}, "dB", tmp_path)
    )
    assert "too small" in repr(guess.compare("x.y", {"A": float("nan")}, "dB", tmp_path))


@pytest.mark.parametrize(
    ("who", "by", "said"),
    [
        ("C", 1, "'C' does not take part. These do: A, B."),
        ("A", "much", "by='much' is no difference"),
        ("A", -1, "by=-1 is no difference"),
        ("A", float("nan"), "by=nan is no difference"),
        ("A", True, "by=True is no difference"),
    ],
)
def test_a_guess_that_cannot_be_is_explained_and_not_kept(tmp_path, who, by, said):
    message = repr(guess.winner("x.y", who, by, AMONG, "dB", tmp_path))
    assert message.startswith("✘ Not yet") and said in message
    assert not (tmp_path / guess.FILE).exists()


def test_a_damaged_file_of_guesses_counts_as_none(tmp_path):
    (tmp_path / guess.FILE).write_text("{", "utf-8")
    assert "No guess" in repr(guess.compare("x.y", {"A": 1.0}, "dB", tmp_path))
    guess.winner("x.y", "A", 0, AMONG, "dB", tmp_path)
    assert "You guessed A, by 0" in repr(guess.compare("x.y", {"A": 1.0}, "dB", tmp_path))


def calls(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


LESSONS = sorted((ROOT / "solutions").glob("0*/*.py"))


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_lesson_asks_for_a_guess_before_and_compares_it_after(path):
    asked = {n.args[0].value: n for name, n in calls(path) if name == "guess.winner"}
    compared = {n.args[0].value: n for name, n in calls(path) if name == "guess.compare"}
    assert asked and set(asked) == set(compared)
    for name, node in asked.items():
        assert node.lineno < compared[name].lineno
        words = {k.arg: ast.literal_eval(k.value) for k in node.keywords if k.arg != "store"}
        assert words["who"] == "" and words["by"] is None, "the learner writes, not we"
        assert len(set(words["among"])) >= 2 and words["unit"]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_claims_of_lessons_are_judged_on_records(path):
    for name, node in calls(path):
        if name == "show.claim":
            assert len(node.args) == 4 or any(isinstance(a, ast.Starred) for a in node.args)
