"""A sheet of small pictures of the user's data, with what is marked in them laid over."""

from collections.abc import Sequence

from course_lib.data.own.look import Shown
from course_lib.lesson.picture import COLOURS, PIXELS, Picture, canvas

COLUMNS, LARGEST = 4, 600  # pixels along a side, more than a sheet can show


def contact_sheet(pictures: Sequence[Shown], name: str) -> Picture:
    """All pictures on one sheet, labels as outlines and boxes as frames, a colour for each number.

    Arguments:
        name: of the data, for the text that describes the sheet.
    """
    import numpy as np
    from matplotlib.patches import Rectangle

    rows = max(1, -(-len(pictures) // COLUMNS))
    figure, axes = canvas(COLUMNS, rows, width=11.0, height=3.0)
    for axis in axes:
        axis.axis("off")
    for axis, shown in zip(axes, pictures, strict=False):
        step = -(-max(shown.image.shape[:2]) // LARGEST)
        axis.imshow(
            shown.image[::step, ::step], **PIXELS, cmap="gray", vmin=0, vmax=1, aspect=shown.pixel
        )
        axis.set_title(shown.title if len(shown.title) < 36 else f"…{shown.title[-34:]}", size=7)
        labels = np.zeros((1, 1)) if shown.labels is None else shown.labels[::step, ::step]
        for number in np.unique(labels[labels > 0]):
            inside = np.pad((labels == number).astype(float), 1)
            colour = COLOURS[int(number) % len(COLOURS)]
            axis.contour(
                np.arange(-1, inside.shape[1] - 1),
                np.arange(-1, inside.shape[0] - 1),
                inside,
                [0.5],
                colors=[colour],
                linewidths=1.2,
            )
        for top, left, bottom, right, number in shown.boxes:
            colour = COLOURS[int(number) % len(COLOURS)]
            corner = left / step - 0.5, top / step - 0.5
            sides = (right - left) / step, (bottom - top) / step
            axis.add_patch(Rectangle(corner, *sides, fill=False, edgecolor=colour, linewidth=1))
    return Picture(figure, described(pictures, name))


def described(pictures: Sequence[Shown], name: str) -> str:
    """The sheet in words, for those who do not see it."""
    if not pictures:
        return f"An empty sheet: {name} holds nothing that can be shown."
    outlined = sum(
        shown.labels is not None and bool((shown.labels > 0).any()) for shown in pictures
    )
    boxes = sum(len(shown.boxes) for shown in pictures)
    marks = [f"{outlined} with outlines of what is labelled"] if outlined else []
    marks += [f"{boxes} boxes in all"] if boxes else []
    titles = "; ".join(shown.title for shown in pictures)
    return f"{len(pictures)} pictures of {name}{''.join(f', {m}' for m in marks)}: {titles}."
