"""Predict, then run: a guess is written down before a training and compared after it.

Guesses are kept in `predictions.json` beside the runs, so that they outlive the kernel.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from course_lib.errors import CourseError
from course_lib.files import atomic
from course_lib.lesson.claims import brief
from course_lib.lesson.message import Message

FILE = "predictions.json"


def winner(
    name: str, who: str, by: float | None, among: Sequence[str], unit: str, store: str | Path
) -> Message:
    """Keeps a guess: who wins, and by how much. Where none is written, the lesson goes on.

    Arguments:
        name: of the comparison, such as `denoising.bm3d`.
        who: one of `among`. by: the difference, in `unit`; None: no idea.
        store: the folder of the runs.
    """
    names = ", ".join(among)
    if not who:
        text = f"Write your guess into the cell above: who= one of {names}; by= how many {unit}."
        return Message("open", f"{text} The lesson goes on without it.")
    if who not in among:
        return Message("wrong", f"{who!r} does not take part. These do: {names}.")
    if by is not None and (isinstance(by, bool) or not isinstance(by, int | float) or not by >= 0):
        return Message("wrong", f"by={by!r} is no difference: a number of {unit} from 0 on.")
    kept = _kept(store) | {name: {"guess": who, "by": by}}
    with atomic(Path(store) / FILE) as path:
        path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return Message("kept", f"{who}{_by(by, unit)}. Now run it, and see.")


def compare(
    name: str, scores: Mapping[str, float], unit: str, store: str | Path, better: str = "higher"
) -> Message:
    """What came, beside what was guessed.

    Arguments:
        scores: name → score, as `among` in `winner`.
        better: whether the `higher` or the `lower` score wins.

    Raises CourseError when `better` is neither.
    """
    if better not in ("higher", "lower"):
        raise CourseError(f"better={better!r} is neither 'higher' nor 'lower'.")
    known = {each: value for each, value in scores.items() if value == value}
    if not known:
        return Message("open", "Nobody has a score in this run, which is too small for it.")
    ranked = sorted(known, key=lambda each: known[each], reverse=better == "higher")
    first = ranked[0]
    came = f"It came: {first} with {brief(known[first])} {unit}"
    if len(ranked) > 1:
        margin = abs(known[first] - known[ranked[1]])
        came += f", {brief(margin)} {unit} ahead of {ranked[1]}"
    mine: Mapping[str, Any] | None = _kept(store).get(name)
    if mine is None:
        return Message("open", f"No guess was written. {came}.")
    said = f"You guessed {mine['guess']}{_by(mine['by'], unit)}. {came}."
    if mine["guess"] == first:
        return Message("kept", f"{said} The winner is yours.")
    return Message("kept", f"{said} A surprise: which sentence above would have told you?")


def _by(by: float | None, unit: str) -> str:
    return "" if by is None else f", by {brief(by)} {unit}"


def _kept(store: str | Path) -> dict[str, Any]:
    """The guesses of a store; none where there is no readable file."""
    try:
        kept = json.loads((Path(store) / FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}
