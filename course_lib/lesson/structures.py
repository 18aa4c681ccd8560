"""Dice of every structure, for tables: a mean over structures hides the small ones."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from course_lib.cases import Batch
from course_lib.lesson.picture import Table
from course_lib.metrics.segmentation import dice, one_hot


def legend(names: Sequence[str]) -> dict[str, str]:
    """Structure → its colour in the pictures of this question."""
    from course_lib.tasks.segmentation.structures import COLOURS

    return {name: f"#{COLOURS[k % (len(COLOURS) - 1) + 1]}" for k, name in enumerate(names)}


def structure_table(
    predictions: Mapping[str, Tensor], batch: Batch, names: Sequence[str], title: str
) -> Table:
    """One row for each structure: its share of the voxels, and each method's mean Dice, over
    the cases that have the structure or an answer that says so.

    Arguments:
        predictions: method → labels (N, 1, D, H, W). batch: holds the true `label`.
        names: of the labels 1, 2, …
    """
    numbers = range(1, len(names) + 1)
    truth = one_hot(batch["label"][:, 0], numbers)
    columns = {
        method: dice(one_hot(labels[:, 0], numbers), truth).nanmean(0)
        for method, labels in predictions.items()
    }
    rows = [
        [name, f"{100 * truth[:, k].float().mean():.2g} %"]
        + [f"{values[k]:.2f}" for values in columns.values()]
        for k, name in enumerate(names)
    ]
    return Table(title, ["structure", "share of the voxels", *columns], rows)
