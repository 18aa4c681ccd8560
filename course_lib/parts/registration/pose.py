"""What pose registration needs from a batch: the camera, and the DRR at the present pose."""

from collections.abc import Mapping

from torch import Tensor

from course_lib.errors import CourseError
from course_lib.physics import drr


def camera_of(batch: Mapping[str, Tensor]) -> drr.Camera:
    """The camera that took a batch's pictures. Raises CourseError when there are none."""
    if "xray" not in batch:
        raise CourseError(
            "This method finds the pose of a volume in an X-ray, but the data set holds pairs of "
            "images. Choose the data set chest_drr/pose."
        )
    pixels, pixel, source, detector, reach, samples = batch["camera"][0].tolist()
    return drr.Camera(round(pixels), pixel, source, detector, reach, round(samples))


def drr_of(batch: Mapping[str, Tensor], pose: Tensor, camera: drr.Camera) -> Tensor:
    """The batch's volumes seen from `pose` (N, 6): line integrals (N, 1, H, W)."""
    return drr.project(batch["volume"], batch["voxel_mm"][0], pose, camera)
