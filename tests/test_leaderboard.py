"""Leaderboards: who is compared with whom, who has a rank and a verdict, and what is said of it."""

import hashlib
import json
import math
from itertools import combinations

import numpy as np
import pytest
from bs4 import BeautifulSoup

from course_lib.benchmark import grouping, masking, statistics, wording
from course_lib.benchmark.downloads import compact
from course_lib.benchmark.grouping import latest, slug
from course_lib.benchmark.leaderboard import sections
from course_lib.benchmark.report import write_report
from course_lib.metrics import classification

SUBJECTS = 8
PSNR = {"psnr": {"unit": "dB", "better": "higher", "text": "…"}}
NAMED = {"kind": "supervised", "cite": "", "ref": "", "baseline": False}
METHODS = {
    "base": NAMED | {"name": "Base", "kind": "classical", "baseline": True},
    "good": NAMED | {"name": "Good"},
    "other": NAMED | {"name": "Other"},
    "told": NAMED | {"name": "Told"},
}


def record(method, scores, dataset="set", profile="class", **more):
    """A finished job with one case of each subject; `scores` are PSNRs, or dicts of scores."""
    job = {"task": "made_up", "method": method, "dataset": dataset, "profile": profile, "seed": 0}
    job |= {"options": {}} | {k: more.pop(k) for k in ("seed", "options") if k in more}
    cases = [
        {
            "case": f"{k}/1",
            "subject": f"s{k}",
            "group": "other subjects",
            "scores": score if isinstance(score, dict) else {"psnr": score},
        }
        for k, score in enumerate(scores)
    ]
    device = {"name": "a machine", "kind": "cpu", "threads": 1, "precision": "float32"}
    versions = dict.fromkeys(("python", "torch", "numpy", "course"), "1")
    found = {
        "schema": 1,
        "status": "done",
        "error": None,
        "job": job,
        "started": "2025-01-01T10:00:00+00:00",
        "wall_s": {"data": 1.0, "fit": 2.0, "predict": 1.0, "total": 4.0},
        "predict_s_per_case": 0.1,
        "peak_memory_mb": 100.0,
        "parameters": 10,
        "steps": 0 if method == "base" else 100,
        "device": device,
        "versions": versions,
        "data": [{"name": dataset, "sha256": "a" * 64, "licence": "mine"}],
        "provenance": {},
        "settings": {"chosen": {}, "candidates": 0, "chosen_on": None},
        "curve": [],
        "headline": "psnr",
        "metrics": PSNR,
        "cases": cases,
        "pictures": None,
        "notebook": None,
    } | more
    key = json.dumps([job, found["started"], found["data"]])
    return {"key": hashlib.sha256(key.encode()).hexdigest()} | found


def spread(mean, seed=0, noise=0.05):
    """Scores of eight subjects, some harder than others."""
    rng = np.random.default_rng(seed)
    return (mean + np.arange(SUBJECTS) + rng.normal(0, noise, SUBJECTS)).tolist()


def of_bytes(mark, day, method="base", mean=30.0):
    data = [{"name": "set", "sha256": mark * 64, "licence": "mine"}]
    return record(method, spread(mean), data=data, started=f"2025-01-{day:02}T10:00:00+00:00")


def page(records, folder, **how):
    text = write_report(records, folder, folder / "out", "Made up", METHODS, **how)
    return BeautifulSoup(text.read_text("utf-8"), "html.parser")


def words(element):
    return " ".join(element.get_text(" ").split())


def board(records):
    return sections(records, METHODS)[0].boards[0]


# What is compared with what


def test_data_that_changed_under_one_name_are_boards_of_their_own_and_the_newest_come_first():
    found = sections(
        [of_bytes("a", 1), of_bytes("b", 3, mean=20), of_bytes("a", 2, "good", 40)], METHODS
    )
    assert [(s.version[0], s.newer) for s in found] == [("b", False), ("a", True)]
    assert [[row.name for row in s.boards[0].rows] for s in found] == [["Base"], ["Good", "Base"]]
    assert len({s.slug for s in found}) == 2


def test_the_report_says_that_there_are_newer_data(tmp_path):
    soup = page([of_bytes("a", 1), of_bytes("b", 3)], tmp_path)
    older, newer = soup.select(".overview tbody tr")[::-1]
    assert "older data" in words(older) and "older data" not in words(newer)
    assert "other bytes of set (sha256 aaaaaaaaaaaa…)" in words(soup.main)


def test_a_method_that_brings_weights_of_its_own_stays_on_the_board():
    weights = [*of_bytes("a", 1)["data"], {"name": "weights", "sha256": "c" * 64, "licence": "x"}]
    found = sections([of_bytes("a", 1), of_bytes("a", 1, "good") | {"data": weights}], METHODS)
    assert [len(s.boards[0].rows) for s in found] == [2]


def test_a_job_that_failed_counts_to_the_newest_data():
    failed = of_bytes("x", 2, "good") | {"status": "failed", "error": {"type": "E", "message": "m"}}
    del failed["data"]
    found = sections([of_bytes("a", 1), of_bytes("b", 3), failed], METHODS)
    assert [(s.version[0], len(s.failed)) for s in found] == [("b", 1), ("a", 0)]


def test_of_one_job_the_last_that_finished_counts_and_a_clock_that_is_wrong_does_not_help():
    old, new = of_bytes("a", 1), of_bytes("a", 2)
    future = of_bytes("a", 3) | {"started": "2999-01-01T00:00:00+00:00", "key": "c" * 64}
    nonsense = old | {"started": "2025-13-99T10:00", "key": "d" * 64}
    failed = of_bytes("a", 9) | {"status": "failed", "error": {"type": "E", "message": "m"}}
    for found in (latest([new, future, old, failed]), latest([nonsense, new, old])):
        assert [r["key"] for r in found] == [new["key"]]


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, "1"), (True, "true"), (None, "null"), (1.5, "1.5"), (1, True), ([1], "[1]"), (0, False)],
)
def test_options_that_differ_in_type_are_rows_with_names_that_differ(one, other):
    rows = board([record("good", spread(30), options={"x": value}) for value in (one, other)]).rows
    assert len({row.name for row in rows}) == 2


def test_a_variant_is_named_only_where_its_options_are_the_same():
    info = {"good": METHODS["good"] | {"variants": {"residual": {"skip": True}}}}
    found = [record("good", spread(30), options={"skip": value}) for value in (True, 1)]
    names = {row.name for row in sections(found, info)[0].boards[0].rows}
    assert names == {"Good, residual", "Good (skip=1)"}


def test_two_methods_of_one_name_are_told_apart():
    info = METHODS | {"twin": METHODS["good"]}
    found = sections([record("good", spread(30)), record("twin", spread(31))], info)
    assert [row.name for row in found[0].boards[0].rows] == ["Good [twin]", "Good [good]"]


SLUGGED = [
    *(("a", "b-c"), ("a-b", "c"), ("a", "b", "c"), ("a_b", "c"), ("A", "b", "c"), ("a", "", "b")),
    *(("a", "b"), ("a/b",), ("ä",), ("ö",), ("",), ("path:/x/y",), ("path:/x_y",), ("a ", "b")),
    *(("x" * 100,), ("x" * 101,), ("x" * 60,), ("a", "b", "", "c")),
]


@pytest.mark.parametrize(("one", "other"), list(combinations(SLUGGED, 2)))
def test_slugs_of_two_things_are_never_one_and_every_file_system_takes_them(one, other):
    first, second = slug(*one), slug(*other)
    assert first.casefold() != second.casefold()
    assert all(c.isascii() and (c.isalnum() or c == "-") for c in first) and len(first) < 80


# Ranks and verdicts


def test_a_verdict_needs_both_the_corrected_test_and_the_interval():
    sure = board([record("base", spread(30)), record("good", spread(34, 1))])
    row = sure.rows[0]
    assert (row.name, row.verdict) == ("Good", "better") and row.holm_p <= 0.05
    assert row.difference.low > 0
    # Of five subjects no test can be below 2/2^5 = 0.06, however far the interval is from 0.
    few = board([record("base", spread(30)[:5]), record("good", spread(40, 1)[:5])])
    assert few.rows[0].difference.low > 0 and few.rows[0].verdict == "open"


def test_holms_correction_over_the_board_takes_a_verdict_away():
    """One p of 0.039 shows something, the same p beside three others does not."""
    draw = np.array([1, 1, 1, 1, 1, 1, 1, -0.2])  # sign flips that are as far out: 5 of 256
    base = spread(30, noise=0)
    good = (np.array(base) + draw).tolist()
    alone = board([record("base", base), record("good", good)]).rows[0]
    assert alone.test.p <= 0.05 and alone.verdict == "better"
    more = [record(f"m{k}", (np.array(base) + np.roll([1, -1] * 4, k)).tolist()) for k in range(3)]
    rows = board([record("base", base), record("good", good), *more]).rows
    row = next(row for row in rows if row.name == "Good")
    assert row.test.p == alone.test.p and row.holm_p > 0.05 and row.verdict == "open"
    assert row.difference.low > 0  # the interval alone would have said better


@pytest.mark.parametrize(
    ("difference", "p", "said"),
    [
        ((1, 0.5, 1.5), 0.01, "better"),
        ((1, 0.5, 1.5), 0.06, "open"),
        ((1, -0.1, 1.5), 0.01, "open"),
        ((1, None, None), 0.01, "open"),
        ((-1, -2, -0.5), 0.01, "worse"),
        ((math.inf, None, None), 0.01, "better"),
        ((None, None, None), 0.01, ""),
        ((1, 0.5, 1.5), None, ""),
    ],
)
def test_the_one_rule(difference, p, said):
    interval = statistics.Interval(*difference)
    assert statistics.verdict(interval, p, 1) == said
    turned = {"better": "worse", "worse": "better"}.get(said, said)
    assert statistics.verdict(interval, p, -1) == turned


def test_who_was_told_more_has_no_rank_and_no_verdict_and_the_report_says_why(tmp_path):
    found = [
        record("base", spread(30)),
        record("good", spread(33)),
        record("told", spread(50), privileged=True),
    ]
    rows = {row.name: row for row in board(found).rows}
    told = rows["Told"]
    assert (told.rank, told.test, told.holm_p, told.verdict) == (None, None, None, "")
    assert (rows["Good"].rank, rows["Base"].rank) == (1, 2)
    assert rows["Good"].holm_p == rows["Good"].test.p  # nothing else was tested
    soup = page(found, tmp_path)
    table = soup.select_one(".leaderboard")
    line = next(row for row in table.select("tbody tr") if "Told" in words(row))
    assert "told more, not ranked" in words(line) and not line.select(".best, .verdict")
    assert "was told of each test case what only a reader or a simulator knows" in words(soup.main)
    assert "Good ranks first" in words(soup.main)
    assert words(soup.select(".overview tbody td")[1]).startswith("Good")


def test_a_baseline_that_was_told_more_is_not_the_one_to_beat():
    found = [
        record("base", spread(50), privileged=True),
        record("good", spread(30)),
    ]
    assert board(found).best_baseline is None


def test_a_told_baseline_alone_still_makes_a_page_with_its_pictures(tmp_path):
    assert "Told" in words(page([record("told", spread(50), privileged=True)], tmp_path).main)


# Scores that are no plain numbers


def test_perfect_scores_rank_first_and_are_written_for_people(tmp_path):
    some = [math.inf, *spread(20)[1:]]
    found = [
        record("good", spread(40)),
        record("other", some),
        record("told", [math.inf] * SUBJECTS),
        record("base", spread(30)),
    ]
    ranked = board(found).rows
    assert [row.name for row in ranked] == ["Told", "Other", "Good", "Base"]
    assert ranked[1].perfect["psnr"] == 1
    assert ranked[1].others["psnr"] == pytest.approx(np.mean(some[1:]))
    soup = page(found, tmp_path)
    shown = {
        words(r.select_one(".name")): words(r.td) for r in soup.select(".leaderboard tbody tr")
    }
    assert shown["Told"].endswith("∞ every case perfect")
    assert "∞ 1 case perfect, the others 24.0" in shown["Other"]
    cells = soup.select(".leaderboard tbody td.headline")
    assert [cell["data-value"] for cell in cells[:2]] == ["Infinity", "Infinity"]
    file = tmp_path / "out" / "data" / "leaderboard.json"
    json.loads(file.read_text("utf-8"), parse_constant=pytest.fail)  # no Infinity: JSON has none


def test_lower_is_better_and_minus_infinity_is_perfect():
    spec = {"error": {"unit": "dB", "better": "lower", "text": "…"}}
    how = {"metrics": spec, "headline": "error"}
    found = [
        record(name, [{"error": v} for v in values], **how)
        for name, values in (("good", [-math.inf, -20, -30]), ("base", [-50, -60, -70]))
    ]
    first = board(found).rows[0]
    assert (first.name, first.perfect["error"]) == ("Good", 1)


def test_what_is_undefined_is_counted_and_never_ranks(tmp_path):
    nothing = record("good", [None] * SUBJECTS)
    half = record("other", [None, float("nan"), *spread(40)[2:]])
    found = [record("base", spread(30)), nothing, half]
    rows = {row.name: row for row in board(found).rows}
    assert rows["Good"].rank is None and not rows["Good"].scored_at_all
    assert rows["Other"].missing["psnr"] == 2 and rows["Other"].scored("psnr") == 6
    assert board(found).rows[-1].name == "Good"
    whole = words(page(found, tmp_path).main)
    assert "Other has a score on 6 of 8 subjects" in whole
    assert "nan" not in whole.lower().split()


def test_no_method_with_any_score_still_makes_a_page(tmp_path):
    assert "No method has a score here." in words(page([record("good", [None] * 3)], tmp_path).main)


def test_records_that_disagree_on_unit_or_direction_are_named_and_not_averaged(tmp_path):
    cents = {"psnr": PSNR["psnr"] | {"unit": "cB"}}
    turned = {"psnr": PSNR["psnr"] | {"better": "lower"}}
    found = [
        record("base", spread(30)),
        record("good", spread(31)),
        record("other", spread(300), metrics=cents),
        record("told", spread(29), metrics=turned),
    ]
    section = sections(found, METHODS)[0]
    assert section.metrics["psnr"]["unit"] == "dB" and section.higher_is_better
    rows = {row.name: row for row in section.boards[0].rows}
    assert rows["Other"].estimates["psnr"].mean is None
    assert [row.name for row in section.boards[0].rows] == ["Good", "Base", "Told", "Other"]
    whole = words(page(found, tmp_path).main)
    assert "gives psnr in 'cB', not 'dB': its values are left out" in whole
    assert "says that lower psnr is better; higher is" in whole
    lines = (tmp_path / "out" / "data" / "cases.csv").read_text("utf-8")
    assert ",cB,300" in lines  # the cases keep the unit that their record gives


def test_the_headline_is_the_records_where_the_data_decide_what_ranks():
    """Registration of own pairs ranks by Dice where there are structures."""
    metrics = {
        "dissimilarity": {"unit": "", "better": "lower", "text": "…"},
        "dice": {"unit": "", "better": "higher", "text": "…"},
    }
    found = record("base", [{"dissimilarity": 0.1, "dice": 0.5}] * 4, "path:/x", metrics=metrics)
    found |= {"headline": "dice", "question": "own"}
    found["job"]["task"] = "registration"
    assert grouping.meaning([found])[0] == "dice"
    assert grouping.meaning([found | {"headline": "dissimilarity"}])[0] == "dissimilarity"


# Scores of whole sets


AUC = {"auc": {"unit": "", "better": "higher", "text": "…", "of_set": "auc"}}


def answered(method, skill, seed, evidence=True, cases=2):
    """A record of an AUC: two cases of each of twelve patients, three to one."""
    rng = np.random.default_rng(seed)
    label = np.arange(12 * cases) % 4 == 0
    answer = rng.normal(0, 1, len(label)) + skill * label
    answer = 1 / (1 + np.exp(-answer))
    import torch

    shares = classification.auc_per_case(
        torch.tensor(np.stack([1 - answer, answer], 1)), torch.tensor(label.astype(int))
    )
    found = record(method, [{"auc": float(s)} for s in shares], metrics=AUC, headline="auc")
    for k, case in enumerate(found["cases"]):
        case["subject"] = f"patient{k // cases}"
        if evidence:
            case["evidence"] = {"answer": [1 - answer[k], answer[k]], "label": int(label[k])}
    return found, answer, label


def rank_auc(answer, label):
    above = answer[label][:, None] - answer[~label][None]
    return float(((above > 0) + (above == 0) / 2).mean())


@pytest.mark.parametrize("skill", [0.5, 2.0, 3.0])
def test_the_interval_of_an_auc_is_that_of_drawn_patients_and_stays_below_1(skill):
    found, answer, label = answered("good", skill, 3)
    mean, low, high = board([found]).rows[0].estimates["auc"]
    rng = np.random.default_rng(7)
    drawn = []
    while len(drawn) < 3000:
        people = rng.integers(12, size=12)
        cases = np.concatenate([people * 2, people * 2 + 1])
        if 0 < label[cases].sum() < len(cases):
            drawn.append(rank_auc(answer[cases], label[cases]))
    beyond = statistics.tail(12)
    assert mean == pytest.approx(rank_auc(answer, label))
    assert [low, high] == pytest.approx(np.quantile(drawn, [beyond, 1 - beyond]), abs=0.05)
    assert 0 <= low <= mean <= high <= 1


def test_where_answers_were_not_kept_there_is_a_mean_and_no_interval():
    kept, bare = answered("good", 2, 3)[0], answered("base", 1, 4, evidence=False)[0]
    rows = {row.name: row for row in board([kept, bare]).rows}
    assert rows["Good"].estimates["auc"].low is not None
    assert rows["Base"].estimates["auc"].mean and rows["Base"].estimates["auc"].low is None
    assert rows["Good"].difference.low is None and rows["Good"].verdict in ("", "open")


def test_no_share_of_a_set_is_shown_as_a_score_of_a_case(tmp_path):
    """Single cases have no AUC: pictures and the plot of subjects follow another score."""
    found, *_ = answered("good", 2, 3)
    metrics = AUC | {"brier": {"unit": "", "better": "lower", "text": "…"}}
    found["metrics"] = metrics
    for case in found["cases"]:
        case["scores"]["brier"] = 0.1
    section = sections([found], METHODS)[0]
    assert (section.headline, section.case_metric) == ("auc", "brier")
    soup = page([found], tmp_path)
    captions = [words(caption) for caption in soup.select(".plot figcaption")]
    assert any("Single subjects. Brier of each test subject" in text for text in captions)
    alone = sections([answered("good", 2, 3)[0]], METHODS)[0]
    assert alone.case_metric is None
    plots = page([answered("good", 2, 3)[0]], tmp_path / "alone").select(".plot figcaption")
    assert not any("Single subjects" in words(caption) for caption in plots)


# What is said


def test_a_smoke_run_says_that_it_means_nothing_and_judges_nobody(tmp_path):
    found = [
        record(name, spread(mean), profile="smoke", steps=steps)
        for name, mean, steps in (("base", 30, 0), ("good", 40, 6))
    ]
    assert all(row.test is None and row.verdict == "" for row in board(found).rows)
    soup = page(found, tmp_path)
    banners = [words(banner) for banner in soup.select(".banner")]
    assert len(banners) == 2 and all("at most 6 training steps" in text for text in banners)
    assert all("These numbers mean nothing" in text for text in banners)
    whole = words(soup.find(id="made-up-set-smoke") or soup.main)
    for claim in ("ranks first", "Better than", "can be said to beat", "p 0."):
        assert claim not in words(soup.select_one("section.task"))
    assert not soup.select(".verdict") and whole
    assert "not asked in a smoke run" in words(soup.select_one(".overview"))
    trained = page([record("base", spread(30)), record("good", spread(40))], tmp_path / "class")
    assert not trained.select(".banner") and trained.select(".verdict")


def test_one_training_is_never_shown_as_the_method_without_saying_so(tmp_path):
    found = [record("base", spread(30)), record("good", spread(34))]
    found += [record("other", spread(35, seed), seed=seed) for seed in range(3)]
    soup = page(found, tmp_path)
    lines = {words(r.select_one(".name")): words(r) for r in soup.select(".leaderboard tbody tr")}
    assert "one seed" in lines["Good"] and "better, one seed" in lines["Good"]
    assert "one seed" not in lines["Other"] and "one seed" not in lines["Base"]  # nothing learnt
    said = words(soup.select_one(".findings"))
    assert "Good (+4.000 dB" in said and "one seed)" in said
    alone = page(found[:2], tmp_path / "alone")
    assert "one seed" in words(alone.select(".overview tbody td")[1])


def test_no_folder_and_no_patient_of_ones_own_is_given_away(tmp_path):
    own = "path:/home/lovelace/secret study/scans?unit=HU"
    found = [
        record("base", spread(30), own, started="2025-01-01T10:00:00+00:00"),
        record("path:/home/lovelace/code/my.py", spread(31), own),
    ]
    for one in found:
        one["notes"] = [
            "6 of 9 subjects were used.",
            "Left out: Miller, Smith, and 2 more: no label.",
            "Left out: /home/lovelace/secret study/scans/Jones.nii: Jones.nii has no partner.",
        ]
        for case in one["cases"]:
            case["subject"] = f"Meyer{case['subject']}"
            case["case"] = f"Meyer{case['case']}"
    failed = record("good", spread(30), own) | {"status": "failed"}
    message = "Meyers3 in /home/lovelace/secret study/scans/Meyers3.nii.gz holds NaN."
    failed["error"] = {"type": "CourseError", "message": message, "traceback": "/home/lovelace"}
    write_report([*found, failed], tmp_path, tmp_path / "out", "Mine", METHODS)
    files = [file for file in (tmp_path / "out").rglob("*") if file.is_file()]
    for file in files:
        for name in (b"lovelace", b"Meyer", b"Miller", b"Jones", b"secret"):
            assert name not in file.read_bytes(), (file, name)
    whole = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert "path:…/scans?unit=HU" in whole and "path:…/my.py" in whole
    assert "6 of 9 subjects were used." in whole and "Left out: 4: no label." in whole
    assert "subject 3" in (tmp_path / "out" / "data" / "cases.csv").read_text("utf-8")
    write_report(found, tmp_path, tmp_path / "open", "Mine", METHODS, names=True)
    assert "Meyer" in (tmp_path / "open" / "data" / "cases.csv").read_text("utf-8")


def test_two_folders_of_one_name_stay_two_data_sets():
    found = [
        record("base", spread(30), "path:/a/scans"),
        record("base", spread(40), "path:/b/scans"),
        record("path:/a/my.py", spread(30), "path:/a/scans"),
        record("path:/b/my.py", spread(30), "path:/a/scans"),
    ]
    shown = masking.records(found)
    assert [len(s.boards[0].rows) for s in sections(shown, METHODS)] == [3, 1]
    assert len({s.slug for s in sections(shown, METHODS)}) == 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/ada/x/p1.nii.gz holds NaN", "…/p1.nii.gz holds NaN"),
        ("see (C:\\Users\\ada\\scans) now", "see (…/scans) now"),
        ("~/scans/a and ~ada", "…/a and ~ada"),
        ("https://doi.org/10.1/x.y 3/4 and/or/but mm/s/s", None),
        ("path:/data/ada/my.py:Net", "path:…/my.py:Net"),
        ("</b></i> data:image/jpeg;base64,/9j/4AAQ/SkZJ/Rg", None),
        (r"\frac{a}{b} \alpha\beta", None),
        ("in /mnt/my data/ada b/p1.nii today", "in …/p1.nii today"),
    ],
)
def test_paths_are_shown_without_the_folders_above(text, shown):
    assert masking.paths(text) == (text if shown is None else shown)


def test_a_lessons_ranking_holds_rank_options_and_what_was_told():
    found = [
        record("base", spread(30)),
        record("told", spread(50), privileged=True, options={"a": 1}),
    ]
    rows = compact(sections(found, METHODS), "x")["sections"][0]["boards"][0]["rows"]
    assert [(r["rank"], r["privileged"], r["options"]) for r in rows] == [
        (1, False, {}),
        (None, True, {"a": 1}),
    ]


def test_numbers_that_are_endless_have_digits_too():
    estimates = [statistics.Interval(math.inf, None, None), statistics.Interval(30.0, 29.0, 31.0)]
    assert wording.decimals(estimates) == 1 and wording.number(math.inf, 1) == "∞"
    assert wording.number(-math.inf, 1, True) == "−∞"
