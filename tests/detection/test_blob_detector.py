"""The blob detector."""

import torch

from course_lib.methods.detection.blob_detector import BlobDetector
from course_lib.metrics import detection as metrics
from tests.detection.made_up import disc_batch


def test_blob_detector_finds_discs_with_their_size():
    batch = disc_batch()
    answer = BlobDetector().predict(batch)
    overlap = torch.stack(
        [
            metrics.box_iou(a[:1], b)[0, 0]
            for a, b in zip(answer["boxes"], batch["boxes"], strict=True)
        ]
    )
    assert (overlap > 0.5).all()
    assert len({tuple(s.items()) for s in BlobDetector.grid}) == len(BlobDetector.grid) >= 8
