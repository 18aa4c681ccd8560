"""The chest as a tissue map: real organs where they are labelled, real HU everywhere else.

`chest_ct` has 89 organ labels (probably drawn by a model). What they leave out (fat, muscle,
vessels in the lung, gas) is told apart by its CT number, as one would by eye.
"""

import numpy as np
from scipy import ndimage

from course_lib.data.anatomy.tissues import CHEST, labels
from course_lib.data.volumes import Volume

_ORGANS = {
    "spleen": ("spleen",),
    "kidney": ("kidney_right", "kidney_left"),
    "liver": ("liver",),
    "stomach": ("stomach", "small_bowel", "duodenum", "colon"),
    "oesophagus": ("esophagus",),
    "gland": ("pancreas", "adrenal_gland_right", "adrenal_gland_left", "thyroid_gland"),
    "heart": ("heart", "atrial_appendage_left"),
    "spinal_cord": ("spinal_cord",),
    "gas": ("trachea",),
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
    organs = volume.labels["organs"]

    def part(wanted: tuple[str, ...]) -> np.ndarray:
        found = [k for k, name in names.items() if name.startswith(wanted) or name.endswith(wanted)]
        return np.isin(organs, found)

    for name, members in _ORGANS.items():
        tissue[part(members) & (hu > -300)] = number[name]
    lobes = np.isin(organs, [k for k, name in names.items() if name.startswith("lung_")])
    tissue[lobes] = number["lung"]
    tissue[lobes & (hu > -450)] = number["lung_vessel"]
    blood = [k for k, name in names.items() if any(word in name for word in _VESSELS)]
    tissue[np.isin(organs, blood)] = number["blood"]
    skeleton = part(_BONES) & (hu > 50)
    tissue[skeleton] = number["bone"]
    tissue[skeleton & (hu > 500)] = number["compact_bone"]
    expected = np.array([row.hu for row in CHEST], np.float32)[tissue]
    # The scan's own noise is averaged away, so that it does not become texture in MR.
    smooth = ndimage.gaussian_filter(hu - expected, (0, 1.5, 1.5))
    return tissue, np.clip(smooth / 400, -0.2, 0.2) * body


def _body(hu: np.ndarray) -> np.ndarray:
    """Everything inside the skin; the table is cut off."""
    solid = ndimage.binary_opening(hu > -400, np.ones((1, 3, 3)), iterations=3)
    parts, _ = ndimage.label(solid)
    largest = parts == np.bincount(parts[solid]).argmax()
    return np.stack([ndimage.binary_fill_holes(layer) for layer in largest])
