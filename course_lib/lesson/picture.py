"""Figures and tables of the lessons: made for paper, the colour-blind and the screen reader."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import cached_property
from html import escape
from io import BytesIO
from typing import Any

import numpy as np

# Okabe and Ito's colours: they differ in lightness too, so that they also print in grey.
BLUE, ORANGE, GREEN, PURPLE, BLACK = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, BLACK)
MARKERS = "osD^vP"
PIXELS = {"interpolation": "nearest"}  # each pixel as it is: smoothing would take noise away


def canvas(columns: int = 1, rows: int = 1, width: float = 9.0, height: float = 3.4):
    """(figure, list of axes) in matplotlib's object interface: no global state, no open windows."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height * rows), dpi=110, layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


class Picture:
    """A matplotlib figure with a text for those who do not see it.

    It is drawn once, when it is first shown. The notebook gets an HTML picture with alt text, and
    the bare PNG for PDF.
    """

    def __init__(self, figure, alt: str) -> None:
        self.figure, self.alt = figure, alt

    @cached_property
    def png(self) -> bytes:
        """The figure as PNG."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        FigureCanvasAgg(self.figure)
        buffer = BytesIO()
        # Compressing harder takes longer than drawing, and saves a tenth.
        quick = {"compress_level": 3}
        self.figure.savefig(buffer, format="png", facecolor="white", pil_kwargs=quick)
        return buffer.getvalue()

    def freeze(self) -> None:
        """Keeps the layout as it was drawn, so that drawing the same figure again is quick."""
        self.figure.set_layout_engine("none")

    def base64(self) -> str:
        """The PNG as text, as notebooks keep it."""
        return b64encode(self.png).decode()

    def html(self) -> str:
        """The figure as an HTML picture with alt text."""
        return (
            f'<img alt="{escape(self.alt, quote=True)}" style="max-width:100%;height:auto" '
            f'src="data:image/png;base64,{self.base64()}">'
        )

    def __repr__(self) -> str:
        return f"[Picture: {self.alt}]"

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        return {"text/html": self.html(), "image/png": self.base64(), "text/plain": repr(self)}


class Table:
    """A small table with a caption, as HTML and as plain text."""

    def __init__(self, caption: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        self.caption, self.head = caption, list(head)
        self.rows = [["" if cell is None else str(cell) for cell in row] for row in rows]

    def __repr__(self) -> str:
        lines = [self.head, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.head))]
        text = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            for line in lines
        ]
        return "\n".join([self.caption, *(line.rstrip() for line in text)])

    def _repr_html_(self) -> str:
        head = "".join(
            f'<th scope="col" style="text-align:left">{escape(x)}</th>' for x in self.head
        )
        rows = "".join(
            "<tr>"
            + "".join(f'<td style="text-align:left">{escape(cell)}</td>' for cell in row)
            + "</tr>"
            for row in self.rows
        )
        caption = f'<caption style="text-align:left">{escape(self.caption)}</caption>'
        return (
            f'<div style="overflow-x:auto"><table>{caption}<thead><tr>{head}</tr></thead>'
            f"<tbody>{rows}</tbody></table></div>"
        )


def images(
    panels: Mapping[str, Any],
    alt: str,
    window: tuple[float, float] = (-600.0, 400.0),
    unit: str = "HU",
    pixel_mm: float | None = None,
    own: Mapping[str, tuple[tuple[float, float], str]] | None = None,
    legend: Mapping[str, str] | None = None,
) -> Picture:
    """Pictures side by side, grey ones in a window, coloured ones as they are.

    Arguments:
        panels: title → image, (H, W) or (H, W, 3), or with leading axes of length 1.
        alt: what one sees, in words.
        window, unit: values shown black and white.
        pixel_mm: side of a pixel; with it the axes are in mm.
        own: title → window and unit of those panels that have another one.
        legend: name → its colour in the coloured panels.
    """
    width = min(11.0, 1.2 + 3.1 * len(panels))
    figure, axes = canvas(len(panels), width=width, height=(width - 1.2) / len(panels) + 0.6)
    bars: dict[tuple, tuple[Any, list]] = {}
    for axis, (title, image) in zip(axes, panels.items(), strict=True):
        image = np.squeeze(np.asarray(image))
        side = pixel_mm or 1.0
        extent = (0, image.shape[1] * side, image.shape[0] * side, 0)
        range_, of = (own or {}).get(title, (window, unit))
        shown = axis.imshow(
            image, cmap="gray", vmin=range_[0], vmax=range_[1], extent=extent, **PIXELS
        )
        if image.ndim == 2:
            bars.setdefault((tuple(range_), of), (shown, []))[1].append(axis)
        axis.set_title(title)
        if pixel_mm:
            axis.set_xlabel("mm")
        else:
            axis.set(xticks=[], yticks=[])
    for (_, of), (shown, around) in bars.items():
        if len(bars) == 1:
            figure.colorbar(shown, ax=axes, label=of, extend="both", shrink=0.8)
        else:
            figure.colorbar(shown, ax=around, label=of, extend="both", location="bottom")
    return Picture(figure, alt + named(figure, legend))


def named(figure, legend: Mapping[str, str] | None) -> str:
    """Writes what each colour means below a figure; returns the same as a sentence."""
    if not legend:
        return ""
    from matplotlib.patches import Patch

    patches = [
        Patch(facecolor=colour, edgecolor="black", label=name) for name, colour in legend.items()
    ]
    figure.legend(handles=patches, loc="outside lower center", ncols=4, frameon=False)
    return f" Colours: {', '.join(legend)}."
