"""Heads as a user would bring them: volumes of different people, in part labelled."""

from pathlib import Path

import numpy as np

from course_lib.data.own import Pictures, Scans
from course_lib.data.volume import Volume
from course_lib.tasks.base import Splits
from course_lib.tasks.registration import own


def scans(count: int = 4, labelled: bool = True) -> Scans:
    """A bright core in a grey ball, elsewhere in everybody; 3 x 2 x 2 mm voxels."""
    draw, volumes = np.random.default_rng(0), []
    where = np.stack(np.meshgrid(*(np.arange(n) for n in (14, 20, 22)), indexing="ij"), -1)
    for k in range(count):
        middle = np.array([7, 10, 11]) + draw.uniform(-1.5, 1.5, 3)
        away = np.linalg.norm((where - middle) * (1.5, 1, 1), axis=-1)
        label = np.select([away < 4, away < 8], [7, 3]).astype(np.uint8)
        image = np.select([away < 4, away < 8], [2.0, 1.0]) + draw.normal(0, 0.05, away.shape)
        labels = {"label": label} if labelled else {}
        volumes.append(
            Volume(image.astype(np.float32), (3.0, 2.0, 2.0), f"p{k}", "a.u.", (0, 0, 0), labels)
        )
    return Scans(Path("scans"), "measured", "own", tuple(volumes))


def pictures(count: int, shape: tuple[int, int] = (40, 30)) -> Pictures:
    """Nothing but noise."""
    draw = np.random.default_rng(0)
    images = tuple(draw.random(shape, dtype=np.float32) for _ in range(count))
    return Pictures(Path("pictures"), "measured", "own", images, *2 * (tuple("abcdefgh"[:count]),))


def own_splits() -> Splits:
    """What the question makes of them."""
    return own.own_cases(scans(), "smoke", 0)
