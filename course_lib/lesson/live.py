"""Live widgets that carry a still picture or text for places without a kernel."""

from collections.abc import Callable, Mapping

from course_lib.lesson.picture import Picture


def view(widget) -> dict:
    """The part of a display that JupyterLab turns into the live widget.

    It stands beside `text/html` or `image/png` in one MIME bundle: a front end that has no kernel
    to talk to passes over it and shows those.
    """
    return {
        "application/vnd.jupyter.widget-view+json": {
            "version_major": 2,
            "version_minor": 0,
            "model_id": widget.model_id,
        }
    }


class Explorer:
    """Sliders above a picture. `draw(**values)` makes the picture from the controls' values.

    Arguments:
        controls: argument of `draw` → an ipywidgets control. Sliders should have
            `continuous_update=False`, so that a picture is drawn once the slider rests.
        draw: returns the Picture; it should take less than 0.3 s. It may change and return the
            same figure each time, because its picture is taken at once.
    """

    def __init__(self, controls: Mapping[str, object], draw: Callable[..., Picture]) -> None:
        import ipywidgets

        self.controls, self.draw = dict(controls), draw
        self.screen = ipywidgets.HTML()
        self.widget = ipywidgets.VBox([*self.controls.values(), self.screen])
        for control in self.controls.values():
            control.observe(self._update, names="value")
        self._update()

    def _update(self, _change: object = None) -> None:
        values = {name: control.value for name, control in self.controls.items()}
        self.picture = self.draw(**values)
        self.screen.value = self.picture.html()
        self.picture.freeze()

    def __repr__(self) -> str:
        return f"{self.picture!r} (In JupyterLab there are sliders to move.)"

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        return {
            **view(self.widget),
            "text/html": self.picture.html(),
            "image/png": self.picture.base64(),
            "text/plain": repr(self),
        }
