"""Every widget, drawn at the ends of its controls: no text is cut, and none lies on another."""

from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from course_lib.lesson import show
from course_lib.lesson.widgets.changes import changes_explorer
from course_lib.lesson.widgets.decision import decision_explorer
from course_lib.lesson.widgets.detail import detail_explorer
from course_lib.lesson.widgets.detector import detector_explorer
from course_lib.lesson.widgets.dose import dose_explorer
from course_lib.lesson.widgets.kspace import kspace_explorer
from course_lib.lesson.widgets.pairs import pairs_explorer
from course_lib.lesson.widgets.pose import pose_explorer
from course_lib.lesson.widgets.rescan import rescan_explorer
from course_lib.lesson.widgets.slices import slice_explorer
from course_lib.lesson.widgets.threshold import threshold_explorer
from course_lib.lesson.widgets.views import views_explorer
from course_lib.lesson.widgets.warps import warp_explorer
from tests.cases import smoke_splits

SIZE = 48
GRID = (torch.arange(SIZE) - SIZE / 2 + 0.5) / (SIZE / 2)
DISC = torch.where(GRID[:, None] ** 2 + GRID**2 < 0.6, 40.0, -1000.0)
SPOT = (GRID[:, None] ** 2 + GRID**2 < 0.05).long()


def rescan():
    def answers(batch):
        sure = torch.linspace(0, 1, len(batch["image"]))
        return {
            "probability": torch.stack([1 - sure, sure], 1),
            "map": batch["image"] * 0 + 0.5,
        }

    method = SimpleNamespace(
        eval=lambda: None, predict=answers, facts=SimpleNamespace(window=(-1000.0, 400.0))
    )
    batch = {
        "image": DISC.expand(4, 1, SIZE, SIZE).clone(),
        "mask": SPOT.expand(4, 1, SIZE, SIZE).clone(),
        "label": torch.tensor([1, 0, 1, 0]),
    }
    return rescan_explorer(method, batch)


def detector():
    found = {
        "boxes": torch.tensor([[[10.0, 10, 20, 20], [30, 30, 40, 40]]] * 2),
        "scores": torch.tensor([[0.9, 0.2], [0.7, 0.1]]),
        "labels": torch.zeros(2, 2, dtype=torch.long),
    }
    cases = {
        "image": DISC.expand(2, 1, SIZE, SIZE),
        "boxes": torch.tensor([[[11.0, 11, 21, 21]], [[5, 5, 9, 9]]]),
        "labels": torch.zeros(2, 1, dtype=torch.long),
        "ignore": torch.zeros(2, 0, 4),
    }
    return detector_explorer(found, cases, "blob detector")


def pose():
    chest = smoke_splits("registration", "chest_drr/pose")
    return pose_explorer(chest.validation.batch(slice(0, 1)), chest.facts)


WIDGETS = {
    "changes": lambda: changes_explorer(
        torch.stack([DISC[None, :32, :32]] * 2), ("benign", "malignant"), 1.05
    ),
    "decision": lambda: decision_explorer(
        torch.linspace(0, 1, 40), (torch.arange(40) % 3 == 0).long(), ("benign", "suspicious")
    ),
    "detail": lambda: detail_explorer(DISC, 1.4),
    "detector": detector,
    "dose": lambda: dose_explorer(DISC, 2.8),
    "kspace": lambda: kspace_explorer((DISC / 1000 + 1.1).to(torch.complex64), 1.0),
    "pairs": lambda: pairs_explorer(DISC / 1000 + 1, DISC, 2.4),
    "pose": pose,
    "rescan": rescan,
    "slices": lambda: slice_explorer(
        DISC.expand(9, SIZE, SIZE).numpy(), (2.5, 1.4, 1.4), "Chest CT of LIDC-IDRI-0001"
    ),
    "threshold": lambda: threshold_explorer(DISC / 1000 + 1, SPOT, ("cerebral white matter",)),
    "views": lambda: views_explorer(DISC, 2.8),
    "warps": lambda: warp_explorer(DISC / 1000 + 1, 2.4),
}


def test_every_widget_is_drawn_here():
    folder = Path(show.__file__).parent / "widgets"
    assert set(WIDGETS) == {path.stem for path in folder.glob("[!_]*.py")}


def ends(control):
    """The values at the ends of a control."""
    if hasattr(control, "options"):
        values = [each[1] if isinstance(each, tuple) else each for each in control.options]
        return [values[0], values[-1]]
    if isinstance(control.value, bool):
        return [False, True]
    if isinstance(control.value, tuple):
        step = (control.max - control.min) / 20
        return [(control.min, control.max), (control.max - step, control.max)]
    return [control.min, control.max]


def faults(figure):
    """Texts that are cut off by the figure's edge, titles that lie on other things."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    edge = figure.bbox
    said, titles = [], []
    for axis in figure.axes:
        texts = [axis.title, axis.xaxis.label, axis.yaxis.label]
        titles.append((axis, axis.title))
        for text in texts:
            box = text.get_window_extent(renderer)
            inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= edge.x1 + 1
            if text.get_text().strip() and not (inside and box.y1 <= edge.y1 + 1):
                said.append(f"cut: {text.get_text()!r}")
    whole = figure._suptitle
    if whole is not None:
        titles.append((None, whole))
        box = whole.get_window_extent(renderer)
        if box.x0 < 0 or box.x1 > edge.x1 or box.y1 > edge.y1 + 1:
            said.append(f"cut: {whole.get_text()!r}")
    shown = [(axis, text, text.get_window_extent(renderer)) for axis, text in titles]
    shown = [each for each in shown if each[1].get_text().strip()]
    for (_, one, a), (_, other, b) in combinations(shown, 2):
        if a.x0 < b.x1 and b.x0 < a.x1 and a.y0 < b.y1 and b.y0 < a.y1:
            said.append(f"{one.get_text()!r} on {other.get_text()!r}")
    for axis, text, box in shown:
        for other in figure.axes:
            area = other.get_window_extent(renderer)
            meets = area.x0 < box.x1 - 1 and box.x0 + 1 < area.x1 and area.y0 < box.y1 - 1
            if other is not axis and meets and box.y0 + 1 < area.y1:
                said.append(f"{text.get_text()!r} on another picture")
    return said


@pytest.mark.parametrize("name", WIDGETS)
def test_no_text_is_cut_at_any_end_of_a_control(name):
    explorer = WIDGETS[name]()
    start = {key: control.value for key, control in explorer.controls.items()}
    found = faults(explorer.picture.figure)
    for key, control in explorer.controls.items():
        for value in ends(control):
            control.value = value
            found += [f"{key}={value}: {each}" for each in faults(explorer.picture.figure)]
        control.value = start[key]
    for end in (0, -1):
        for control in explorer.controls.values():
            control.value = ends(control)[end]
        found += [f"all at end {end}: {each}" for each in faults(explorer.picture.figure)]
    assert found == []


@pytest.mark.parametrize("name", WIDGETS)
def test_pictures_are_drawn_pixel_by_pixel(name):
    figure = WIDGETS[name]().picture.figure
    kinds = {image.get_interpolation() for axis in figure.axes for image in axis.images}
    assert kinds <= {"nearest"}


def test_noise_is_drawn_as_strong_as_it_is():
    noise = np.random.default_rng(0).normal(0, 25, (512, 512))
    picture = show.images({"noise": noise}, "noise", window=(-128, 127))
    (axis, *_) = picture.figure.axes
    canvas = FigureCanvasAgg(picture.figure)
    canvas.draw()
    box = axis.get_window_extent(canvas.get_renderer())
    grey = np.asarray(canvas.buffer_rgba())[..., 0].astype(float)
    height = grey.shape[0]
    inner = grey[
        height - int(box.y1) + 4 : height - int(box.y0) - 4, int(box.x0) + 4 : int(box.x1) - 4
    ]
    assert inner.std() == pytest.approx(25, rel=0.05)


def test_panels_keep_their_own_windows_and_colours_get_names():
    labels = np.zeros((8, 8, 3), np.uint8)
    picture = show.images(
        {"input": np.linspace(0, 1, 64).reshape(8, 8), "output": labels},
        "two",
        window=(0, 255),
        unit="label",
        own={"input": ((0.0, 1.0), "window")},
        legend={"cortex": "#0072b2", "ventricle": "#e69f00"},
    )
    grey = picture.figure.axes[0].images[0]
    assert grey.get_clim() == (0.0, 1.0)
    said = [text.get_text() for text in picture.figure.legends[0].get_texts()]
    assert said == ["cortex", "ventricle"] and "Colours: cortex, ventricle" in picture.alt
    bars = [axis for axis in picture.figure.axes if axis.get_label() == "<colorbar>"]
    assert len(bars) == 1, "a coloured picture has no grey bar"
