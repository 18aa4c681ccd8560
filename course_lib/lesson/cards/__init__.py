"""Paper cards: the docstring of a method's file is the annotated paper; a card shows it.

Idea, equation, drawing, what was shrunk, the row it earned, what it claims and whether that held
here, the source, and one question to think about.
"""

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape

from course_lib import catalogue
from course_lib.lesson.drawing import Drawing
from course_lib.lesson.shelf import load

DOI = re.compile(r"doi (10\.\S+?)(?=[.,;:)]*(?:\s|$))|arXiv:(\d+\.\d+)")
STAYS_OUT = re.compile(r"\s*(Shrunk:.*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class About:
    """What a card adds to the docstring.

    Arguments:
        tex: the equation that makes the method, for LaTeX.
        claim: what the paper, or the survey of it, says that it improves.
        metric: the score in which that must show.
        rival: the method against which it must show.
        question: one to think about, that the lesson does not answer in a word.
    """

    tex: str
    claim: str
    metric: str
    rival: str
    question: str


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
    r"""The parts of a method file's docstring.

    >>> parts = paper("N: idea.\n\nWords.\n\n    x = y\n\nShrunk: less.\n\nA 1999, doi 10.1/2.")
    >>> parts.idea, parts.shrunk, parts.link
    ((('words', 'Words.'), ('equation', 'x = y')), 'Shrunk: less.', 'https://doi.org/10.1/2')
    """
    title, *paragraphs = inspect.cleandoc(text).split("\n\n")
    sources = [k for k, each in enumerate(paragraphs) if DOI.search(each)]
    source, shrunk = "", ""
    if sources:
        source = " ".join(paragraphs.pop(sources[-1]).split()).removeprefix("Source: ")
        if found := STAYS_OUT.search(source):
            source, shrunk = source[: found.start()], found[1]
    idea = []
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


def about(method: str) -> About | None:
    """What the card of a method adds to its docstring; None where nothing is added."""
    from course_lib.lesson import cards

    file = load(cards, catalogue.entry(method).section)
    return file.CARDS.get(method) if file else None


@dataclass(frozen=True)
class Card:
    """The card of one method of the catalogue, with its drawing if there is one."""

    method: str
    drawing: Drawing | None = None

    @cached_property
    def entry(self) -> catalogue.Entry:
        """What the catalogue says."""
        return catalogue.entry(self.method)

    @cached_property
    def paper(self) -> Paper:
        """The docstring of the method's file."""
        module = inspect.getmodule(catalogue.method_class(self.method))
        return paper((module.__doc__ if module else "") or "")

    @cached_property
    def facts(self) -> dict[str, str]:
        """Heading → sentence, below the idea."""
        from course_lib.lesson.cards import shipped

        added = about(self.method)
        said = {"What was shrunk": self.paper.shrunk.removeprefix("Shrunk: ")}
        if added:
            said["It claims"] = f"{added.claim} Here: {shipped.held(self.method, added)}"
        said["Its row"] = shipped.row(self.method)
        if added:
            said["Think"] = added.question
        return {heading: text for heading, text in said.items() if text}

    @property
    def headline(self) -> str:
        """The method's name, and its idea in a line."""
        number = f" [{self.entry.ref} in the survey]" if self.entry.ref else ""
        idea = self.paper.title.partition(": ")[2] or self.paper.title
        return f"{self.entry.name}{number}: {idea}"

    def __repr__(self) -> str:
        said = [self.headline, *(text for _, text in self.paper.idea)]
        said += [f"{heading}: {text}" for heading, text in self.facts.items()]
        said += [self.paper.source, repr(self.drawing) if self.drawing else ""]
        return "\n\n".join(part for part in said if part)

    def _repr_html_(self) -> str:
        added = about(self.method)
        name, idea = self.headline.split(": ", 1)
        parts = [f"$${escape(added.tex, quote=False)}$$"] if added else []
        parts += [
            f"<pre style='background:none;margin:.4em 1.5em;white-space:pre-wrap'>"
            f"{escape(text)}</pre>"
            if kind == "equation"
            else f"<p>{_code(text)}</p>"
            for kind, text in self.paper.idea
        ]
        parts.append(self.drawing._repr_html_() if self.drawing else "")
        parts += [f"<p><strong>{k}.</strong> {_code(text)}</p>" for k, text in self.facts.items()]
        source = escape(self.paper.source)
        link = f"https://doi.org/{self.entry.doi}" if self.entry.doi else self.paper.link
        if link:
            source = f'<a href="{escape(link, quote=True)}">{source or escape(self.entry.cite)}</a>'
        return (
            '<details style="border:1px solid #8888;border-radius:6px;padding:.3em 1em;'
            f'margin:.3em 0"><summary><strong>{escape(name)}</strong>: {_code(idea)}</summary>'
            f"{''.join(parts)}<p><small>{source}</small></p></details>"
        )


class Cards:
    """Several cards, one below the other, each folded."""

    def __init__(self, cards: Sequence[Card]) -> None:
        self.cards = list(cards)

    def __repr__(self) -> str:
        return "\n\n----\n\n".join(map(repr, self.cards))

    def _repr_html_(self) -> str:
        return "".join(card._repr_html_() for card in self.cards)


def _code(text: str) -> str:
    """Words as HTML; what stands between back-quotes as code, between stars with emphasis. A dollar
    is no mark of LaTeX."""
    words = escape(text, quote=False).replace("$", "&#36;")
    words = re.sub(r"(?<!\S)\*(\w[^*`]*)\*(?!\w)", r"<em>\1</em>", words)
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", words)
