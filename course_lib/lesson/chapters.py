"""The chapters of the course, in the order of the survey, and the lessons that each has."""

import json
from dataclasses import dataclass

from course_lib.files import resource


@dataclass(frozen=True)
class Chapter:
    """One chapter: its folder in `notebooks/`, the survey's section, and its question."""

    folder: str
    title: str
    survey: str
    question: str


CHAPTERS = (
    Chapter("01_restoration", "Restoration", "2.1", "Can a spoilt image be repaired?"),
    Chapter("02_synthesis", "Synthesis", "2.2", "Can an image be made that nobody took?"),
    Chapter("03_registration", "Registration", "3.1", "Where did each point go?"),
    Chapter("04_segmentation", "Segmentation", "3.2", "Which pixels are the organ, the tumour?"),
    Chapter(
        "05_classification_detection", "Classification and detection", "4", "What is it, and where?"
    ),
    Chapter("06_frontiers", "Few labels, trust, robustness", "5", "When must we not believe it?"),
)


def lesson_titles(chapter: Chapter) -> list[str]:
    """The titles of a chapter's lessons, as their notebooks give them."""
    notebooks = sorted((resource("notebooks") / chapter.folder).glob("*.ipynb"))
    return [_title(path.read_text("utf-8")) for path in notebooks]


def _title(notebook: str) -> str:
    return "".join(json.loads(notebook)["cells"][0]["source"]).partition("\n")[0].lstrip("# ")
