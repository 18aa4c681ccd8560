"""Lung nodules in real CT: shapes drawn by radiologists, appearance driven by their ratings.

LIDC-IDRI's outlines come without pixels (but for one scan), so each nodule's measured shape is put
into a real lung of `chest_ct` and given the density that its ratings describe. Shape, size, ratings
and background are measured; the nodule's own CT numbers are simulated.

    from course_lib.data import lesions
    cases = lesions.nodule_patches(100, size=64, seed=0)
"""

from course_lib.data.lesions.insert import insert
from course_lib.data.lesions.patches import Lungs, lungs, nodule_patches, place
from course_lib.data.lesions.shapes import Shape, nodules, shape

__all__ = ["Lungs", "Shape", "insert", "lungs", "nodule_patches", "nodules", "place", "shape"]
