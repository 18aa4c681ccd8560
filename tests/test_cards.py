"""Paper cards: every method has one in a lesson, and what it claims can be looked up."""

import ast
import re
from pathlib import Path

import pytest
from matplotlib.mathtext import MathTextParser

from course_lib import catalogue
from course_lib.lesson import cards, show
from course_lib.lesson.cards import About, about, paper, shipped
from course_lib.lesson.shelf import load
from tests.cases import kinds, smoke_splits

ROOT = Path(__file__).parents[1]
METHODS = [entry.id for entry in catalogue.METHODS]
LEARNED = [entry.id for entry in catalogue.METHODS if not entry.baseline]


def shown_in_lessons():
    """(lesson, method) of each call of `show.cards` in a source of the lessons."""
    for path in sorted((ROOT / "solutions").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "show.cards":
                yield from ((path.stem, word.value) for word in node.args)


def test_every_method_has_its_card_in_exactly_one_lesson():
    assert sorted(method for _, method in shown_in_lessons()) == sorted(METHODS)


def test_what_learns_has_an_addition_and_nothing_else_has():
    added = [method for section in catalogue.SECTIONS for method in load(cards, section).CARDS]
    assert sorted(added) == sorted(LEARNED)


@pytest.mark.parametrize("method", LEARNED)
def test_a_claim_names_a_score_and_a_rival_of_the_same_question(method):
    added, entry = about(method), catalogue.entry(method)
    rival = catalogue.entry(added.rival)
    assert rival.section == entry.section and rival.id != entry.id
    fitting = [
        dataset
        for question, dataset in kinds(entry)
        if catalogue.fits(rival, dataset) and added.metric in question.metrics
    ]
    assert fitting, f"no data set on which {method} and {added.rival} both have {added.metric}"
    assert added.question.rstrip().endswith("?")
    assert added.claim.endswith(".")


# LaTeX that matplotlib's own reader of equations writes otherwise.
OTHERWISE = {
    r"\tfrac": r"\frac",
    r"\text{": r"\mathrm{",
    r"\qquad": r"\quad",
    r"\big": "",
    r"\Big": "",
    r"\mathsf T": r"\top",
    r"\|": r"\Vert ",
    r"\le ": r"\leq ",
    r"\tfrac12": r"\frac{1}{2}",
    r"\tfrac w2": r"\frac{w}{2}",
}


@pytest.mark.parametrize("method", LEARNED)
def test_equations_can_be_set(method):
    tex = about(method).tex
    assert "$" not in tex
    for theirs in sorted(OTHERWISE, key=len, reverse=True):
        tex = tex.replace(theirs, OTHERWISE[theirs])
    MathTextParser("path").parse(f"${tex}$")


@pytest.mark.parametrize("method", METHODS)
def test_a_card_shows_the_annotated_paper_as_page_and_as_text(method):
    card = show.card(method)
    text, page = repr(card), card._repr_html_()
    assert card.entry.name in text and card.entry.name in page
    assert "Its row" in page and ("place" in text or "no row is shipped" in text)
    module = __import__(card.entry.module, fromlist=["_"])
    words = re.sub(r"\W+", " ", module.__doc__.partition(":")[2]).split()
    shown = re.sub(r"\W+", " ", text).split()
    missing = [word for word in words if word not in [*shown, "Source", "Shrunk"]]
    assert missing == [], "every word of the docstring stands on the card"
    if method in LEARNED:
        assert f"$${about(method).tex.split('&')[0][:12]}" in page.replace("&amp;", "&")
        assert "It claims" in page and "Think" in page
    if card.entry.ref:
        assert f"[{card.entry.ref} in the survey]" in text
    if card.entry.doi:
        assert f'href="https://doi.org/{card.entry.doi}"' in page


def test_what_was_shrunk_and_the_source_stand_apart_from_the_idea():
    parts = paper("A: b.\n\nIdea.\n\nBy X 2001, doi 10.5/6. Shrunk: depth.\n\nMore.")
    assert parts.shrunk == "Shrunk: depth."
    assert parts.source == "By X 2001, doi 10.5/6."
    assert parts.link == "https://doi.org/10.5/6"
    assert parts.idea == (("words", "Idea."), ("words", "More."))


def test_cards_are_folded_and_draw_only_what_learns():
    question, dataset = next(kinds(catalogue.entry("red_cnn")))
    on = (question, smoke_splits("denoising", dataset), "smoke")
    page = show.cards("median", "red_cnn", on=on)._repr_html_()
    assert page.count('<details style="border') == 2 and "<details open" not in page
    assert page.count("<svg") == 1
    assert "<em>what</em> and <em>where</em>" in show.card("unet")._repr_html_()
    assert "low_dose" in repr(show.card("red_cnn", *on))


# ---- the shipped row and verdict


def board(subjects, rows, best="old", headline="psnr"):
    spec = {"unit": "dB", "better": "higher"}
    return {
        "dataset": "d",
        "profile": "class",
        "headline": headline,
        "metrics": {"psnr": spec, "noise": {"unit": "HU", "better": "lower"}},
        "boards": [{"group": "others", "subjects": subjects, "best_baseline": best, "rows": rows}],
    }


def line(method, psnr, rank, noise=(9.0, 8.0, 10.0), difference=None, p=None):
    scores = {
        name: dict(zip(("mean", "low", "high"), value, strict=True))
        for name, value in (("psnr", psnr), ("noise", noise))
    }
    return {
        "method": method,
        "rank": rank,
        "scores": scores,
        "difference": difference and dict(zip(("mean", "low", "high"), difference, strict=True)),
        "p_holm": p,
        "smallest_p": 0.0001,
    }


def held(monkeypatch, subjects, ours, theirs, metric="psnr", best="median"):
    found = board(subjects, [ours, theirs], best)
    monkeypatch.setattr(shipped, "parts", lambda section: (found,))
    return shipped.held(
        "red_cnn", About(tex="", claim="", metric=metric, rival="median", question="")
    )


@pytest.mark.parametrize(
    ("difference", "p", "said"),
    [
        ((3.0, 1.0, 5.0), 0.01, ": as claimed (30 test subjects, p = 0.01)."),
        ((-3.0, -5.0, -1.0), 0.01, ": NOT as claimed"),
        ((3.0, 1.0, 5.0), 0.2, ": cannot tell"),
        ((3.0, -1.0, 7.0), 0.01, ": cannot tell"),
    ],
)
def test_the_best_baseline_is_judged_by_the_paired_test(monkeypatch, difference, p, said):
    ours = line("red_cnn", (33.0, 30.0, 36.0), 1, difference=difference, p=p)
    assert said in held(monkeypatch, 30, ours, line("median", (30.0, 27.0, 33.0), 2))


@pytest.mark.parametrize(
    ("subjects", "noise", "said"),
    [
        (30, (5.0, 4.0, 6.0), ": as claimed (30 test subjects, the intervals lie apart)."),
        (30, (15.0, 14.0, 16.0), ": NOT as claimed"),
        (30, (8.5, 7.5, 9.5), ": cannot tell (30 test subjects, the intervals overlap)."),
        (5, (5.0, 4.0, 6.0), ": cannot tell (5 test subjects: too few)."),
        (30, (5.0, None, None), ": cannot tell (30 test subjects, no interval)."),
    ],
)
def test_other_scores_are_judged_by_intervals_that_lie_apart(monkeypatch, subjects, noise, said):
    ours = line("red_cnn", (33.0, 30.0, 36.0), 1, noise=noise)
    theirs = line("median", (30.0, 27.0, 33.0), 2)
    assert said in held(monkeypatch, subjects, ours, theirs, metric="noise")


def test_without_a_shipped_row_nothing_is_said_of_a_claim(monkeypatch):
    monkeypatch.setattr(shipped, "parts", lambda section: ())
    assert shipped.row("red_cnn").startswith("no row is shipped")
    assert shipped.held("red_cnn", about("red_cnn")) == "not tested on the shipped leaderboard."


def test_source_of_a_method_shows_its_whole_class_folded():
    from course_lib.methods.denoising.red_cnn import REDCNN

    shown = show.source(REDCNN.losses)
    assert "class REDCNN" in repr(shown) and "def build" in repr(shown)
    assert "<details><summary>The whole class" in shown._repr_html_()
    assert "The whole class" not in show.source(paper)._repr_html_()
