"""What the catalogue says of a section and of a method."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Section:
    """A section of the survey: a folder of questions, and the methods that answer them.

    Arguments:
        title, survey: its name for people, and its number in the survey.
        lesson: the chapter's notebook that runs its jobs, without suffix.
        questions: the names of its questions, `own` for the user's own data.
        id: its name in the catalogue.
    """

    title: str
    survey: str
    lesson: str
    questions: tuple[str, ...]
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A method.

    Arguments:
        id, class_name, name: its file, its class, its name for people.
        kind: baseline, classical, supervised, adversarial, self-supervised …
        cite, doi: the paper.
        ref: its number in the survey's list of references; None where the survey has none for it.
        data: data sets of the registry that the method itself needs, such as pretrained weights.
        questions: those of its section that it answers; empty: all of them.
        datasets: if it answers only some of their data sets, which; `path:` for the user's own.
        variants: name → options: settings worth a row of their own, such as the paper's ablations.
        paper: options nearer to the paper than a minute allows (widths, batches), which profile
            `full` uses; `long`: those in between, which profile `long` uses.
        section: where it belongs.
        file: where its class lies, if not in the course: a file, or `module:Class`.
    """

    id: str
    class_name: str
    name: str
    kind: str
    cite: str
    doi: str | None = None
    ref: int | None = None
    data: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    paper: Mapping[str, Any] = field(default_factory=dict)
    long: Mapping[str, Any] = field(default_factory=dict)
    section: str = ""
    file: str | None = None

    @property
    def module(self) -> str:
        """The module that holds the method."""
        return f"course_lib.methods.{self.section}.{self.id}"

    @property
    def baseline(self) -> bool:
        """Whether others are compared with it: everything that does not learn."""
        return self.kind in ("baseline", "classical")

    def options_in(self, profile: str) -> dict[str, Any]:
        """The options that it has in a profile by itself: its defaults but for these."""
        kinds = {"full": self.paper, "long": self.long}
        return dict(kinds.get(profile.partition("@")[0], {}))

    def describe(self) -> dict[str, Any]:
        """What `course methods --json` prints."""
        return asdict(self) | {"task": self.section, "baseline": self.baseline}
