"""Pictures of one's own."""

import numpy as np
import pytest
import torch

from course_lib.data.own import Boxed
from course_lib.errors import CourseError
from course_lib.methods.detection import retinanet
from course_lib.tasks.detection import own
from tests.denoising import example as other
from tests.detection.example import own_splits, pictures


def test_own_pictures_with_boxes_are_shrunk_with_their_boxes():
    draw = np.random.default_rng(0)
    images = tuple(draw.random((3, 240, 320), dtype=np.float32) for _ in range(5))
    boxed = Boxed(
        source="here",
        provenance="measured: pictures and boxes of your own",
        licence="as you know it",
        images=images,
        boxes=tuple(np.array([[20, 40, 60, 100]] * (k + 1), np.float32) for k in range(5)),
        labels=tuple(np.arange(k + 1) % 2 for k in range(5)),
        classes=("a", "b"),
        names=tuple("vwxyz"),
        subjects=tuple("vwxyz"),
    )
    found = own.own_cases(boxed, "class", 0)
    subjects = [set(part.subject) for part in (found.train, found.validation, found.test)]
    assert sum(map(len, subjects)) == len(set.union(*subjects)) == 5
    assert found.train["image"].shape[1:] == (3, 128, 160)
    everything = torch.cat([p["boxes"].flatten(0, 1) for p in (found.train, found.test)])
    labels = torch.cat([p["labels"].flatten() for p in (found.train, found.test)])
    assert everything[labels >= 0].unique(dim=0).tolist() == [[10.0, 20.0, 30.0, 50.0]]
    assert found.facts.classes == 2 and found.facts.class_names == ("a", "b")
    assert found.facts.channels == 3
    method = retinanet.RetinaNet().fresh(found.facts)
    with torch.no_grad():
        answer = method.eval().predict(found.train.tensors)
    assert set(answer["labels"].unique().tolist()) <= {-1, 0, 1}
    scores = own.QUESTION.score(answer, found.train.tensors, found.facts)
    assert set(scores) == set(own.QUESTION.of(found.facts).metrics)


def test_pictures_of_several_sizes_share_one_grid_and_grey_is_on_the_scale_of_a_ct():
    boxed, found = pictures(), own_splits()
    for part in (found.train, found.validation, found.test):
        assert part["image"].shape[1:] == (3, 160, 160)
        assert part["image"].amin() >= -1000 and part["image"].amax() <= 400
        for k, name in enumerate(part.case):
            wide = boxed.images[boxed.names.index(name)].shape[2] > 60
            margin = part["image"][k, :, 120:] if wide else part["image"][k, :, :, 96:]
            assert (margin == -1000).all()
            for box, label in zip(part["boxes"][k], part["labels"][k], strict=True):
                top, left, bottom, right = box.round().long().tolist()
                if label >= 0:  # red is the first channel, blue the last
                    middle = part["image"][k, :, (top + bottom) // 2, (left + right) // 2]
                    assert middle[2 * label] > 100 > -500 > middle[1]


def test_scans_are_refused():
    with pytest.raises(CourseError, match="pictures with boxes"):
        own.own_cases(other.scans(), "smoke", 0)
