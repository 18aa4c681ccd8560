"""The pose knob: turn and shift a patient in front of an X-ray camera."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from course_lib.lesson.live import Explorer
from course_lib.lesson.picture import PIXELS, Picture, canvas
from course_lib.parts.registration.pose import drr_of
from course_lib.physics import drr

KNOBS = {
    "turn": (1, 15, "turn in plane (°)"),
    "nod": (2, 15, "nod (°)"),
    "twist": (0, 15, "twist (°)"),
    "side": (5, 30, "to the side (mm)"),
    "depth": (4, 60, "depth (mm)"),
}
"""Name → (its place in a pose, how far the slider goes, what it says)."""


def pose_explorer(case: Mapping[str, Tensor], facts: Mapping[str, Any]) -> Explorer:
    """Sliders for a pose error: the DRR from there, and what is left when the X-ray is subtracted.

    Arguments:
        case: a batch of one case of the data set `chest_drr/pose`.
        facts: what is fixed for that data set; its camera is used.
    """
    import ipywidgets

    true = case["true_pose"]
    target = drr_of(case, true, facts)
    landmarks = drr.place(case["points"], true)
    figure, (left, right) = canvas(2, width=9.5, height=4.2)
    shown = left.imshow(target[0, 0], **PIXELS, cmap="gray", vmin=0, vmax=float(target.max()))
    figure.colorbar(shown, ax=left, label="line integral")
    error = right.imshow(torch.zeros_like(target[0, 0]), **PIXELS, cmap="PuOr_r", vmin=-2, vmax=2)
    figure.colorbar(error, ax=right, label="line integral")
    for axis in (left, right):
        axis.set(xlabel="detector pixels", ylabel="detector pixels")

    def draw(**wrong: float) -> Picture:
        pose = true.clone()
        for name, value in wrong.items():
            pose[0, KNOBS[name][0]] += value
        seen = drr_of(case, pose, facts)
        shown.set_data(seen[0, 0])
        error.set_data((seen - target)[0, 0])
        away = drr.place(case["points"], pose) - landmarks
        whole = float(away.norm(dim=-1).mean())
        flat = float(away[..., [0, 2]].norm(dim=-1).mean())
        rest = float((seen - target).square().mean().sqrt())
        left.set_title(f"DRR: organs {whole:.1f} mm off, {flat:.1f} in plane")
        right.set_title(f"minus the X-ray: {rest:.2f} (root mean square)")
        return Picture(
            figure,
            f"Left: a radiograph of the chest rendered at a pose whose organs lie {whole:.1f} mm "
            f"from the truth. Right: its difference from the X-ray, {rest:.2f} on average.",
        )

    controls = {
        name: ipywidgets.FloatSlider(
            0,
            min=-limit,
            max=limit,
            step=limit / 15,
            description=label,
            continuous_update=False,
            style={"description_width": "130px"},
            layout=ipywidgets.Layout(width="480px"),
        )
        for name, (_, limit, label) in KNOBS.items()
    }
    return Explorer(controls, draw)
