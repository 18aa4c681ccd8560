"""The threshold knob of a detector: which boxes are shown, and where on the FROC curve that is."""

import torch

from course_lib.lesson.live import Explorer
from course_lib.lesson.picture import BLUE, ORANGE, PIXELS, Picture, canvas
from course_lib.metrics.detection import alarms_and_hits
from course_lib.parts.detection.boxes import as_lists


class Answers:
    """A detector's answers for a set of cases, ready to be cut at any threshold.

    Arguments:
        prediction: boxes (N, K, 4), scores (N, K), labels (N, K), as `predict` returns them.
        batch: the cases, with `image`, `boxes`, `labels` and `ignore`.
    """

    def __init__(self, prediction: dict, batch: dict) -> None:
        self.image = batch["image"].mean(1)
        self.found, self.wanted = as_lists(prediction, batch)
        self.alarms, self.best = alarms_and_hits(self.found, self.wanted, None)
        scores = torch.cat([one.scores for one in self.found])
        self.range = float(scores.min()), float(scores.max())

    def point(self, threshold: float) -> tuple[float, float]:
        """(false alarms per image, share of all objects found in %) above a threshold."""
        alarms = (self.alarms > threshold).sum().item() / len(self.found)
        return alarms, 100 * (self.best > threshold).float().mean().item()

    def curve(self, steps: int = 60) -> tuple[list[float], list[float]]:
        """The points at thresholds from the highest score to the lowest."""
        thresholds = torch.cat([self.alarms, self.best[self.best > -torch.inf]])
        thresholds = thresholds.quantile(torch.linspace(1, 0, steps)).tolist()
        points = [self.point(threshold) for threshold in thresholds]
        return [x for x, _ in points], [y for _, y in points]

    def boxes(self, case: int, threshold: float) -> tuple[list, list, list]:
        """(boxes on an object, false alarms, true boxes) of one case, as lists of four numbers."""
        ours, theirs = self.found[case], self.wanted[case].boxes
        boxes = ours.boxes[ours.scores > threshold]
        middle = (boxes[:, None, :2] + boxes[:, None, 2:]) / 2
        hit = ((middle >= theirs[:, :2]) & (middle < theirs[:, 2:])).all(-1).any(1)
        return boxes[hit].tolist(), boxes[~hit].tolist(), theirs.tolist()


def detector_explorer(prediction: dict, batch: dict, name: str = "detector") -> Explorer:
    """Sliders for the case and the threshold, over a slice with its boxes and the FROC curve."""
    import ipywidgets
    from matplotlib.patches import Rectangle

    answers = Answers(prediction, batch)
    low, high = answers.range
    figure, (left, right) = canvas(2, width=9.5, height=4.0)
    shown = left.imshow(answers.image[0], **PIXELS, cmap="gray", vmin=-1000, vmax=400)
    left.set(xticks=[], yticks=[])
    figure.colorbar(shown, ax=left, label="HU", extend="both")
    across, up = answers.curve()
    right.step(across, up, where="post", color=BLUE, label=name)
    (here,) = right.plot([], [], "o", color=ORANGE, markersize=9, label="this threshold")
    right.set_xscale("symlog", linthresh=0.125)
    right.set(title="FROC: what finding more costs", ylim=(0, 102), xlim=(0, 100))
    right.set_xticks([0, 0.125, 0.5, 1, 2, 8, 32], ["0", "1/8", "1/2", "1", "2", "8", "32"])
    right.set(xlabel="false alarms per image", ylabel="nodules found (%)")
    right.legend(frameon=False, loc="upper left")

    def draw(case: int, threshold: float) -> Picture:
        for patch in list(left.patches):
            patch.remove()
        hits, alarms, truth = answers.boxes(case, threshold)
        for boxes, colour, style in (
            (truth, "white", ":"),
            (hits, BLUE, "-"),
            (alarms, ORANGE, "-"),
        ):
            for top, start, bottom, stop in boxes:
                corner, sides = (start - 0.5, top - 0.5), (stop - start, bottom - top)
                left.add_patch(
                    Rectangle(corner, *sides, fill=False, edgecolor=colour, linestyle=style, lw=1.5)
                )
        shown.set_data(answers.image[case])
        left.set_title(
            f"found (blue), false alarm (orange), truth (dotted): case {case}", fontsize=9
        )
        rate, share = answers.point(threshold)
        here.set_data([rate], [share])
        return Picture(
            figure,
            f"Left: slice {case} with {len(truth)} nodules; above a score of {threshold:.2f} the "
            f"{name} shows {len(hits)} boxes on nodules and {len(alarms)} false alarms. Right: the "
            f"FROC curve; here {share:.0f} % of all nodules are found at {rate:.2f} false alarms "
            "per image.",
        )

    common = {
        "continuous_update": False,
        "style": {"description_width": "110px"},
        "layout": ipywidgets.Layout(width="480px"),
    }
    controls = {
        "case": ipywidgets.IntSlider(0, 0, len(answers.found) - 1, description="slice", **common),
        "threshold": ipywidgets.FloatSlider(
            low + 0.5 * (high - low),
            min=low,
            max=high,
            step=(high - low) / 50,
            description="score above",
            **common,
        ),
    }
    return Explorer(controls, draw)
