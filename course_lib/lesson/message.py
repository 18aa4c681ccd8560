"""Short messages to the learner: coloured in a notebook, plain text everywhere else."""

from html import escape
from typing import Literal

Mood = Literal["right", "open", "wrong", "hint", "kept"]

# Colour never stands alone: each mood has its own sign and word, and the colours keep apart for
# colour-blind eyes and in JupyterLab's dark theme.
_SIGNS = {
    "right": ("✔", "Right", "#0072b2"),
    "open": ("○", "Still open", "#767676"),
    "wrong": ("✘", "Not yet", "#c04000"),
    "hint": ("→", "Hint", "#8a6d00"),
    "kept": ("✎", "Your guess", "#0072b2"),
}


class Message:
    """One message; `text` may have several lines, `code` is shown below as it is."""

    def __init__(self, mood: Mood, text: str, code: str = "") -> None:
        self.mood, self.text, self.code = mood, text, code

    def __repr__(self) -> str:
        sign, word, _ = _SIGNS[self.mood]
        return f"{sign} {word}. {self.text}" + (f"\n\n{self.code}" if self.code else "")

    def _repr_html_(self) -> str:
        sign, word, colour = _SIGNS[self.mood]
        text = escape(self.text).replace("\n", "<br>")
        code = f"<pre>{escape(self.code)}</pre>" if self.code else ""
        return (
            f'<div role="status" style="border-left:4px solid {colour};padding:.4em .8em">'
            f'<strong><span aria-hidden="true" style="color:{colour}">{sign}</span> {word}.'
            f"</strong> {text}{code}</div>"
        )

    def show(self) -> None:
        """Displays the message in a notebook, prints it elsewhere."""
        from IPython.display import display

        display(self)
