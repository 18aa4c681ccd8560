"""Multiple choice with an answer to every choice, with or without a running kernel.

In JupyterLab the questions are radio buttons. In a web page, a PDF or a terminal, where no kernel
listens, the same questions stand as text with answers to unfold.
"""

from dataclasses import dataclass
from html import escape

from course_lib.errors import CourseError
from course_lib.lesson.shelf import load, names


@dataclass(frozen=True)
class Option:
    """One choice, and what is said to those who choose it."""

    text: str
    feedback: str
    right: bool = False


@dataclass(frozen=True)
class Question:
    """A question with exactly one right option."""

    text: str
    options: tuple[Option, ...]

    def __post_init__(self) -> None:
        right = sum(option.right for option in self.options)
        if right != 1:
            raise CourseError(f"'{self.text}' has {right} right options; it needs exactly one.")

    def answer(self, chosen: int | None) -> str:
        """The feedback on option number `chosen`, with its verdict in words."""
        if chosen is None:
            return "Choose an answer first."
        option = self.options[chosen]
        return f"{'✔ Right.' if option.right else '✘ Not quite.'} {option.feedback}"


class Quiz:
    """Several questions, shown by whatever can show them."""

    def __init__(self, questions: tuple[Question, ...]) -> None:
        self.questions = questions

    def __repr__(self) -> str:
        lines = []
        for number, question in enumerate(self.questions, 1):
            lines.append(f"{number}. {question.text}")
            lines += [
                f"   {letter}) {option.text}"
                for letter, option in zip("abcdef", question.options, strict=False)
            ]
        return "\n".join(lines)

    def html(self) -> str:
        """The questions with answers to unfold; needs no kernel and no script."""
        parts = []
        for number, question in enumerate(self.questions, 1):
            choices = "".join(
                f"<li><details><summary>{escape(option.text)}</summary>"
                f"<p>{escape(question.answer(index))}</p></details></li>"
                for index, option in enumerate(question.options)
            )
            parts.append(
                f"<p><strong>{number}. {escape(question.text)}</strong></p><ul>{choices}</ul>"
            )
        return "".join(parts)

    def widget(self):
        """The questions as ipywidgets: radio buttons, a button to check, and the answer below."""
        import ipywidgets

        rows = [self._row(number, question) for number, question in enumerate(self.questions, 1)]
        return ipywidgets.VBox(rows)

    def _row(self, number: int, question: Question):
        import ipywidgets

        title = ipywidgets.HTML(f"<strong>{number}. {escape(question.text)}</strong>")
        wide = ipywidgets.Layout(width="auto")
        choice = ipywidgets.RadioButtons(
            options=[(option.text, index) for index, option in enumerate(question.options)],
            value=None,
            layout=wide,
        )
        button = ipywidgets.Button(
            description="Check", tooltip=f"Check the answer to question {number}"
        )
        said = ipywidgets.HTML()

        def say(_) -> None:
            said.value = f'<div role="status">{escape(question.answer(choice.value))}</div>'

        button.on_click(say)
        return ipywidgets.VBox([title, choice, button, said])

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        from course_lib.lesson.live import view

        return {**view(self.widget()), "text/html": self.html(), "text/plain": repr(self)}


def quiz(name: str) -> Quiz:
    """The quiz of a lesson; CourseError if there is none."""
    from course_lib.lesson import questions

    file = load(questions, name)
    if file is None:
        known = ", ".join(names(questions))
        raise CourseError(f"There is no quiz '{name}'. There are: {known}.")
    return Quiz(file.QUESTIONS)
