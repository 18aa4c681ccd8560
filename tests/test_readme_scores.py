"""Every score in the README is the shipped leaderboard's."""

import json
import re
from functools import cache
from pathlib import Path

import pytest

from course_lib.files import PACKAGE

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")

# How a row of the README's table begins → leaderboard, and what its data set's name holds.
ROWS = {
    "super-resolution": ("super_resolution", "chest_ct"),
    "CT from 30 views": ("reconstruction_ct", "30_views"),
    "MR from a quarter": ("reconstruction_mr", "cartesian_x4"),
    "augmentation": ("augmentation", "malignancy"),
    "anomalies": ("augmentation", "anomaly"),
    "MR to CT": ("translation", "mr_to_ct"),
    "registration": ("registration", "brain_2d"),
    "pose of an X-ray": ("registration", "pose"),
    "brain tissue": ("segmentation", "brain_tissue"),
    "malignancy of nodules": ("classification", "nodules/300"),
    "nodules in CT slices": ("detection", "/nodules"),
    "growth": ("detection", "series/"),
    "another scanner": ("frontier", "scanner_shift"),
}
# The README's name of a method, where the leaderboard's shares no word with it or too many do.
CALLED = {
    ("augmentation", "none"): "no augmentation",
    ("registration", "none"): "no registration",
    ("reconstruction_ct", "total variation"): "TV reconstruction",
    ("super_resolution", "ReCNN"): "ReCNN (3D)",
    ("translation", "with gradients"): "CycleGAN + gradient consistency",
}
# A score that no leaderboard holds: what the calendar alone tells, over many seeds of the series.
ELSEWHERE = ("over many seeds (0.72)",)

NUMBER = r"\d+(?:\.\d+)?"
SCORE = re.compile(
    rf"(?:^|, |: )(?P<name>[^,:|]*?) (?P<value>{NUMBER}) ?(?P<unit>dB|mm|%)?"
    rf"(?: [\[(](?P<low>{NUMBER})(?:–|-| to |, )(?P<high>{NUMBER})[\])])?(?= in |,|$)"
)
ANY_SCORE = re.compile(r"(?<!\bin )\b(?:\d+\.\d+|\d+(?= ?%| dB\b| mm\b))(?!\d)")


@cache
def sections(leaderboard):
    file = PACKAGE / "lesson" / "leaderboards" / f"{leaderboard}.json"
    return json.loads(file.read_text("utf-8"))["sections"]


def words(name):
    return {word.removesuffix("s") for word in re.findall(r"[a-z0-9]+", name.lower())}


def row_of(board, leaderboard, called):
    """The row that the README calls so: of the same words, else of the most words in common."""
    wanted = words(CALLED.get((leaderboard, called), called))
    if exact := [row for row in board["rows"] if words(row["name"]) == wanted]:
        return exact[0]
    most = max(len(wanted & words(row["name"])) for row in board["rows"])
    near = [row for row in board["rows"] if len(wanted & words(row["name"])) == most]
    return near[0] if most and len(near) == 1 else None


def told(what, shown, exact):
    """What is wrong with a printed number, if it is not the exact one rounded to its decimals."""
    half = 0.5 * 10.0 ** -len(shown.partition(".")[2]) + 1e-9
    if exact is None or abs(float(shown) - exact) > half:
        yield f"{what}: the README says {shown}, the leaderboard {exact}"


def faults_of_score(found, unit, section, leaderboard):
    """What is wrong with one score, and with its interval if it has one."""
    row = row_of(section["boards"][0], leaderboard, found["name"])
    if row is None:
        yield f"{leaderboard} has no single row called {found['name']!r}"
        return
    measured_in = section["metrics"][section["headline"]]["unit"]
    if unit and unit != measured_in:
        yield f"{row['name']}: {unit} in the README, {measured_in!r} on the leaderboard"
    scale = 0.01 if measured_in == "%" and not unit else 1
    estimate = row["scores"][section["headline"]]
    for end, key in (("value", "mean"), ("low", "low"), ("high", "high")):
        if found[end]:
            exact = estimate[key]
            exact = exact if exact is None else exact * scale
            yield from told(f"{leaderboard}, {row['name']}, {key}", found[end], exact)


def faults_of_row(label, cells):
    """What is wrong with a row of the table, and how many scores were looked at."""
    start = [key for key in ROWS if label.startswith(key)]
    if len(start) != 1:
        return [f"no leaderboard is known for the row {label!r}"], 0
    leaderboard, dataset = ROWS[start[0]]
    section = next(s for s in sections(leaderboard) if dataset in s["dataset"])
    faults, count = [], 0
    if aside := re.search(rf"\(({NUMBER}) on its own\)", label):
        own = next(board for board in section["boards"] if "training" in board["group"])
        row = row_of(own, leaderboard, "without remedy")
        faults += told(label, aside[1], row["scores"][section["headline"]]["mean"])
        count += 1
    for cell in cells:
        once = re.search(rf"{NUMBER} ?(dB|mm|%)", cell)  # the unit stands at the first score only
        for found in SCORE.finditer(cell):
            faults += faults_of_score(found, once and once[1], section, leaderboard)
            count += 1 + 2 * bool(found["low"])
    return faults, count


def faults_of_prose(line):
    """The same for "BM3D …, 35.3 dB; RED-CNN … 34.1 dB; …", the default report's findings."""
    section = sections("denoising")[0]
    rows = {row["name"]: row["scores"][section["headline"]] for row in section["boards"][0]["rows"]}
    faults, count = [], 0
    for part in line.split(";"):
        for shown in re.findall(rf"({NUMBER}) dB", part):
            names = [name for name in rows if name.lower() in part.lower()]
            faults += told(part, shown, rows[names[0]]["mean"] if len(names) == 1 else None)
            count += 1
    return faults, count


def faults_of(text):
    """All that is wrong with the scores of the README's chapter on the benchmark."""
    chapter = text.split("\n## The benchmark\n")[1].split("\n## ")[0]
    for phrase in ELSEWHERE:
        chapter = chapter.replace(phrase, "")
    faults = []
    for line in re.sub(r"```.*?```", "", chapter, flags=re.DOTALL).split("\n"):
        if line.startswith("| ") and not line.startswith("| task "):
            label, *cells = line.strip("| ").split(" | ")
            wrong, count = faults_of_row(label, cells)
        else:
            wrong, count = faults_of_prose(line)
        faults += wrong
        if count != len(ANY_SCORE.findall(line)):
            faults.append(f"{ANY_SCORE.findall(line)}: {count} of these were found in {line!r}")
    return faults


def test_every_score_in_the_readme_is_the_shipped_leaderboards():
    assert faults_of(README) == []


def test_the_readme_is_read_whole():
    rows = [line for line in README.split("\n") if line.startswith(tuple(f"| {k}" for k in ROWS))]
    assert len(rows) == len(ROWS)
    assert sum(faults_of_row(*split(row))[1] for row in rows) > 50


def split(row):
    label, *cells = row.strip("| ").split(" | ")
    return label, cells


@pytest.mark.parametrize(
    ("right", "wrong", "fault"),
    [
        ("SRCNN 30.0 dB", "SRCNN 30.1 dB", "says 30.1"),
        ("CSN 29.8", "CSN 29.9", "says 29.9"),
        ("DCGAN 0.88", "DCGAN 0.93", "says 0.93"),
        ("demons 4.5", "demons 2.7", "says 2.7"),
        ("blob detector 41%", "blob detector 42%", "says 42"),
        ("tLSTM 0.95", "tLSTM 0.96", "says 0.96"),
        ("(0.92 on its own)", "(0.91 on its own)", "says 0.91"),
        ("minute of training 34.1 dB", "minute of training 34.2 dB", "says 34.2"),
        ("SRCNN 30.0 dB", "SRCNN 30.0 mm", "mm in the README"),
        ("SRCNN 30.0 dB", "SwinIR 30.0 dB", "no single row called 'SwinIR'"),
        ("SRCNN 30.0 dB", "SRCNN 30.0 dB (29.4 to 30.5)", "says 30.5"),
        ("SRCNN 30.0 dB", "SRCNN 30.0 dB [29.5, 30.4]", "says 29.5"),
        ("In half of these", "A U-Net reaches 0.64. In half of these", "0 of these were found"),
        ("| brain tissue, Dice", "| heart, Dice", "no leaderboard is known"),
    ],
)
def test_a_wrong_score_in_the_readme_is_found(right, wrong, fault):
    assert right in README
    new = set(faults_of(README.replace(right, wrong))) - set(faults_of(README))
    assert any(fault in text for text in new), new


def test_a_right_interval_in_the_readme_is_no_fault():
    text = README.replace("SRCNN 30.0 dB", "SRCNN 30.0 dB (29.4 to 30.4)")
    assert text != README and faults_of(text) == faults_of(README)
