"""The decision knob: where to cut the probabilities, and what that means at another prevalence."""

import numpy as np
from torch import Tensor

from course_lib.lesson.live import Explorer
from course_lib.lesson.picture import BLUE, ORANGE, Picture, canvas

BINS = 20


class Decision:
    """Probabilities and truth, cut at a threshold.

    Arguments:
        probability: (N,) of the positive class. label: (N,), 1 for positive.
    """

    def __init__(self, probability: Tensor, label: Tensor) -> None:
        values, truth = probability.double().numpy(), label.numpy() == 1
        self.positive, self.negative = values[truth], values[~truth]
        cuts = np.concatenate([[np.inf], np.unique(values)[::-1]])
        self.curve = np.array([self.rates(cut) for cut in cuts])

    def rates(self, threshold: float) -> tuple[float, float]:
        """(false alarms among the negative, found among the positive) at a threshold."""
        return float((self.negative >= threshold).mean()), float(
            (self.positive >= threshold).mean()
        )

    def true_alarms(self, threshold: float, prevalence: float) -> float:
        """Share of the alarms that are true where a share `prevalence` of the cases is positive
        (positive predictive value); nan without alarms."""
        alarm, found = self.rates(threshold)
        every = prevalence * found + (1 - prevalence) * alarm
        return prevalence * found / every if every else float("nan")


def decision_explorer(probability: Tensor, label: Tensor, names: tuple[str, str]) -> Explorer:
    """Sliders for threshold and prevalence over a classifier's probabilities.

    Arguments:
        probability: (N,) of the positive class. label: (N,), 1 for positive.
        names: of the negative and the positive class.
    """
    import ipywidgets

    decision = Decision(probability, label)
    # Made once: moving a slider only puts new numbers into the same pictures.
    figure, (left, right) = canvas(2, width=9.5, height=3.8)
    edges = np.linspace(0, 1, BINS + 1)
    for values, name, colour, hatch in (
        (decision.negative, names[0], BLUE, None),
        (decision.positive, names[1], ORANGE, "//"),
    ):
        left.hist(values, edges, alpha=0.6, color=colour, hatch=hatch, label=name)
    cut = left.axvline(0.5, color="black")
    left.set(xlabel=f"probability of: {names[1]}", ylabel="cases", xlim=(0, 1))
    left.legend(frameon=False)
    right.plot(*decision.curve.T, color=BLUE)
    right.plot([0, 1], [0, 1], ":", color="grey")
    (point,) = right.plot([0], [0], "o", color=ORANGE, markersize=10)
    right.set(xlabel=f"alarms among {names[0]}", ylabel=f"found among {names[1]}")

    def draw(threshold: float, prevalence: float) -> Picture:
        alarm, found = decision.rates(threshold)
        true = decision.true_alarms(threshold, prevalence)
        said = "no alarm at all" if true != true else f"{true:.0%} of the alarms are true"
        cut.set_xdata([threshold, threshold])
        point.set_data([alarm], [found])
        left.set_title(f"cut at {threshold:.2f}")
        right.set_title(f"{found:.0%} found, {alarm:.0%} false alarms;\n{said}")
        return Picture(
            figure,
            f"Left: histograms of the probabilities of both classes, cut at {threshold:.2f}. "
            f"Right: the ROC curve; at this cut {found:.0%} of {names[1]} are found and "
            f"{alarm:.0%} of {names[0]} raise an alarm. With {prevalence:.0%} {names[1]} among "
            f"all cases, {said}.",
        )

    common = {
        "continuous_update": False,
        "style": {"description_width": "110px"},
        "layout": ipywidgets.Layout(width="480px"),
    }
    controls = {
        "threshold": ipywidgets.FloatSlider(
            0.5, min=0.0, max=1.0, step=0.02, description="threshold", **common
        ),
        "prevalence": ipywidgets.SelectionSlider(
            options=[(f"{share:.0%}", share) for share in (0.01, 0.05, 0.1, 0.2, 0.4, 0.6)],
            value=0.4,
            description="prevalence",
            **common,
        ),
    }
    return Explorer(controls, draw)
