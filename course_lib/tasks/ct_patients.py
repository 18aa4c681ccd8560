"""Whom the CT tasks are tested on besides the patient that trains.

The four patients of `lung_tumours` are crops. With `eight_patients` come four whole bodies of two
optional data sets: two chests with a lung tumour (`tumour_scans`), a thorax and an upper abdomen,
both with contrast agent (`organ_scans`; its third CT has voxels of 3 mm and is too smooth here).
"""

from collections.abc import Iterator

from course_lib.data.volume import Volume
from course_lib.tasks import ct_scans

SOURCES: dict[str, tuple[str, ...]] = {
    "chest_ct+lung_tumours": ("chest_ct", "lung_tumours"),
    "chest_ct": ("chest_ct",),
    "chest_ct+eight_patients": ("chest_ct", "lung_tumours", "tumour_scans", "organ_scans"),
}
"""Patients → the registry's data sets that they are from; the first is the default."""


def others(patients: str, count: int) -> Iterator[tuple[Volume, list[int], bool]]:
    """The other patients of a data set, each with `count` slices around the tumour, or the middle
    of the heart or of the scan; and whether it is a crop that needs a chest around it."""
    from course_lib.data.sets import lung_tumours, organ_scans, tumour_scans

    if "lung_tumours" in SOURCES[patients]:
        for patient in lung_tumours.load():
            yield patient, ct_scans.middle(*ct_scans.tumour_range(patient), count), True
    if "tumour_scans" in SOURCES[patients]:
        for patient in tumour_scans.load():
            yield patient, ct_scans.middle(*ct_scans.tumour_range(patient), count), False
        _, thorax, abdomen = organ_scans.load()
        heart = thorax.labels["heart"].any(axis=(1, 2)).nonzero()[0]
        yield thorax, ct_scans.middle(int(heart[0]), int(heart[-1]) + 1, count), False
        yield abdomen, ct_scans.middle(0, len(abdomen.image), count), False
