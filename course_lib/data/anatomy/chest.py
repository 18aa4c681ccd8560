"""The chest as a tissue map: real organs where they are labelled, real HU everywhere else.

`chest_ct` has 89 organ labels (probably drawn by a model). What they leave out (fat, muscle,
vessels in the lung, gas) is told apart by its CT number, as one would by eye.
"""

import numpy as np
from scipy import ndimage

from course_lib.data.anatomy.tissues import CHEST, labels
from course_lib.data.volume import Volume

_ORGANS = {
    "spleen": ("spleen",),
    "kidney": ("kidney_right", "kidney_left"),
    "liver": ("liver",),
    "stomach": ("stomach", "small_bowel", "duodenum", "colon"),
    "oesophagus": ("esophagus",),
    "gland": ("pancreas", "adrenal_gland_right", "adrenal_gland_left", "thyroid_gland"),
    "heart": ("heart", "atrial_appendage_left"),
    "spinal_cord": ("spinal_cord",),
}
_VESSELS = ("aorta", "vein", "trunk", "artery", "vena_cava")
_BONES = ("vertebra", "humerus", "scapula", "clavicula", "rib_", "sternum")


def tissue_map(volume: Volume, names: dict[int, str]) -> tuple[np.ndarray, np.ndarray]:
    """Tissues of the chest and their fine detail.

    Arguments: `volume` is `chest_ct()`, `names` is `organ_names()`.
    Returns `tissue` uint8 (numbers of `tissues.CHEST`) and `detail` float32, both on the volume's
    grid: how far the CT number lies from the tissue's, as a relative change of about −0.2 … 0.2.
    """
    number, hu = labels("chest"), volume.image
    body = _body(hu)
    tissue = np.zeros(hu.shape, np.uint8)
    for name, low, high in (
        ("gas", -1100, -500),
        ("fat", -500, -30),
        ("muscle", -30, 180),
        ("bone", 180, 550),
        ("compact_bone", 550, 4000),
    ):
        tissue[body & (hu >= low) & (hu < high)] = number[name]
    organ = _tissue_of_organ(names)[volume.labels["organs"]]
    lung, bone = number["lung"], number["bone"]
    soft = (organ > 0) & (organ != lung) & (organ != bone) & (hu > -300)
    tissue[soft] = organ[soft]
    tissue[organ == lung] = lung
    tissue[(organ == lung) & (hu > -450)] = number["lung_vessel"]
    tissue[(organ == bone) & (hu > 50)] = bone
    tissue[(organ == bone) & (hu > 500)] = number["compact_bone"]
    expected = np.array([row.hu for row in CHEST], np.float32)
    detail = np.empty(hu.shape, np.float32)
    for k, layer in enumerate(tissue):  # slice by slice: a whole scan in float takes 140 MB
        # The scan's own noise is averaged away, so that it does not become texture in MR.
        smooth = ndimage.gaussian_filter(hu[k] - expected[layer], 1.5)
        detail[k] = np.clip(smooth / 400, -0.2, 0.2) * (layer > 0)
    return tissue, detail


def _tissue_of_organ(names: dict[int, str]) -> np.ndarray:
    """Tissue number by organ number, 0 where the CT number decides."""
    number = labels("chest")
    result = np.zeros(256, np.uint8)
    for organ, name in names.items():
        if name.startswith("lung_"):
            result[organ] = number["lung"]
        elif any(word in name for word in _VESSELS):
            result[organ] = number["blood"]
        elif name.startswith(_BONES):
            result[organ] = number["bone"]
        for tissue, members in _ORGANS.items():
            if name in members:
                result[organ] = number[tissue]
    return result


def _body(hu: np.ndarray) -> np.ndarray:
    """Everything inside the skin; the table is cut off. Found at half the resolution."""
    cross = np.ones((1, 3, 3))
    solid = ndimage.binary_opening(hu[:, ::2, ::2] > -400, cross, iterations=2)
    parts, _ = ndimage.label(solid)
    largest = parts == np.bincount(parts[solid]).argmax()
    filled = np.stack([ndimage.binary_fill_holes(layer) for layer in largest])
    inner = ndimage.binary_erosion(filled, cross)
    outer = ndimage.binary_dilation(filled, cross)
    inner, outer = (mask.repeat(2, 1).repeat(2, 2) for mask in (inner, outer))
    return inner | (outer & (hu > -600))
