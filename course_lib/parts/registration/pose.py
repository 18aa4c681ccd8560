"""What pose registration needs: the DRR at the present pose."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from course_lib.physics import drr


def drr_of(batch: Mapping[str, Tensor], pose: Tensor, facts: Mapping[str, Any]) -> Tensor:
    """The batch's volumes seen from `pose` (N, 6) by the data set's camera: line integrals
    (N, 1, H, W)."""
    return drr.project(batch["volume"], facts["voxel_mm"], pose, facts["camera"])
