"""Paper cards: the docstring of a method's file is the annotated paper; a card shows it.

Idea, equation, drawing, what was shrunk, the row it earned, what it claims and whether that held
here, the source, and one question to think about.
"""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from course_lib import catalogue
from course_lib.errors import CourseError
from course_lib.lesson.shelf import load

DOI = re.compile(r"doi (10\.\S+?)(?=[.,;)]*(?:\s|$))|arXiv:(\d+\.\d+)")
STAYS_OUT = re.compile(r"\s*(Shrunk:.*)", re.DOTALL)


@dataclass(frozen=True)
class About:
    """What a card adds to the docstring.

    Arguments:
        question: one to think about, that the lesson does not answer in a word.
        claim: what the paper, or the survey of it, says that it improves.
        metric: the score in which that must show.
        rival: the method against which it must show.
    """

    question: str
    claim: str = ""
    metric: str = ""
    rival: str = ""


@dataclass(frozen=True)
class Paper:
    """A docstring in its parts. idea: paragraphs and equations in their order, (kind, text)."""

    title: str
    idea: tuple[tuple[str, str], ...]
    shrunk: str
    source: str

    @property
    def link(self) -> str:
        """The address of the source; empty where it has none."""
        found = DOI.search(self.source)
        if found is None:
            return ""
        return f"https://doi.org/{found[1]}" if found[1] else f"https://arxiv.org/abs/{found[2]}"


def paper(text: str) -> Paper:
    """The parts of a method file's docstring.

    >>> parts = paper("Name: idea.\\n\\nWords.\\n\\n    x = y\\n\\nShrunk: less.\\n\\nA 1999, doi 10.1/2.")
    >>> parts.idea, parts.shrunk, parts.link
    ((('words', 'Words.'), ('equation', 'x = y')), 'Shrunk: less.', 'https://doi.org/10.1/2')
    """
    title, *paragraphs = inspect.cleandoc(text).split("\n\n")
    source = ""
    if paragraphs and DOI.search(paragraphs[-1]):
        source = " ".join(paragraphs.pop().split()).removeprefix("Source: ")
    idea, shrunk = [], ""
    for paragraph in paragraphs:
        lines = paragraph.splitlines()
        if all(line.startswith("    ") for line in lines if line.strip()):
            idea.append(("equation", inspect.cleandoc(paragraph)))
            continue
        words = " ".join(paragraph.split())
        if found := STAYS_OUT.search(words):
            shrunk = f"{shrunk} {found[1]}".strip()
            words = words[: found.start()]
        if words:
            idea.append(("words", words))
    return Paper(" ".join(title.split()), tuple(idea), shrunk, source)


class Card:
    """The card of one method, as HTML and as plain text."""

    def __init__(self, entry: catalogue.Entry, row: str, drawings: Mapping[str, Any]) -> None:
        module = inspect.getmodule(catalogue.method_class(entry.id))
        self.entry, self.row, self.drawings = entry, row, drawings
        self.paper, self.about = paper(module.__doc__ or ""), about(entry.id)

    def __repr__(self) -> str:
        said = [self.entry.name, self.paper.title, *(text for _, text in self.paper.idea)]
        said += [self.paper.shrunk, self._claim(), self.row, self.paper.source]
        if self.about:
            said.append(f"Think: {self.about.question}")
        return "\n\n".join(part for part in said if part)

    def _claim(self) -> str:
        if not self.about or not self.about.claim:
            return ""
        from course_lib.lesson.claims import shipped_verdict

        return f"Claim: {self.about.claim} {shipped_verdict(self.entry, self.about)}"

    def _repr_html_(self) -> str:
        parts = [
            f"<pre style='font:italic 1.05em/1.5 Cambria,Georgia,serif;background:none;"
            f"margin:.4em 1.5em;white-space:pre-wrap'>{escape(text)}</pre>"
            if kind == "equation"
            else f"<p>{_code(text)}</p>"
            for kind, text in self.paper.idea
        ]
        drawn = "".join(
            f"<figure style='margin:.6em 0'>{drawing._repr_html_()}</figure>"
            for drawing in self.drawings.values()
        )
        rest = {
            "What was shrunk": self.paper.shrunk.removeprefix("Shrunk: "),
            "Claim": self._claim().removeprefix("Claim: "),
            "Its row": self.row,
            "Think": self.about.question if self.about else "",
        }
        said = "".join(f"<p><strong>{k}.</strong> {_code(v)}</p>" for k, v in rest.items() if v)
        source = escape(self.paper.source)
        if self.paper.link:
            source = f'<a href="{escape(self.paper.link)}">{source}</a>'
        number = f" · survey [{self.entry.ref}]" if self.entry.ref else ""
        return (
            f'<details open style="border:1px solid #8888;border-radius:6px;padding:.4em 1em">'
            f"<summary><strong>{escape(self.entry.name)}</strong>{number}: "
            f"{_code(self.paper.title.partition(': ')[2] or self.paper.title)}</summary>"
            f"{''.join(parts)}{drawn}{said}<p><small>{source}</small></p></details>"
        )


def _code(text: str) -> str:
    """Words as HTML; what stands between back-quotes as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


def about(method: str) -> About | None:
    """What the card of a method adds to its docstring; None where nothing is added."""
    from course_lib.lesson import cards

    file = load(cards, catalogue.entry(method).section)
    return file.CARDS.get(method) if file else None
