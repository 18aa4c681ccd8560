"""What the catalogue says of a method."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Entry:
    """A method. `ref`: its number in the survey, None where the survey does not name it.
    `kind`: baseline, classical, supervised, adversarial, self-supervised …
    `data`: data sets of the registry that the method itself needs, such as pretrained weights.
    `datasets`: those of the task's data sets that it can answer, `path:` for the user's own; empty:
    all of them."""

    id: str
    task: str
    class_name: str
    name: str
    kind: str
    ref: int | None
    cite: str
    data: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        """The module that holds the method."""
        return f"course_lib.methods.{self.task}.{self.id}"

    @property
    def baseline(self) -> bool:
        """Whether others are compared with it: everything that does not learn."""
        return self.kind in ("baseline", "classical")

    def fits(self, dataset: str) -> bool:
        """Whether the method can answer a data set of its task."""
        kind = "path:" if dataset.startswith(("path:", "unverified:")) else dataset
        return not self.datasets or kind in self.datasets

    def describe(self) -> dict[str, Any]:
        """What `course methods --json` prints."""
        return asdict(self) | {"baseline": self.baseline}
