"""Nuclei under the microscope and their instances: data set `nuclei`."""

import numpy as np

from course_lib.data import fetch


def load() -> tuple[np.ndarray, np.ndarray]:
    """A fluorescence image of nuclei, float32 (y, x), and its instances, int32 (y, x), 0 outside.

    From the 2018 Data Science Bowl (doi:10.1038/s41592-019-0612-7).
    """
    from skimage.io import imread

    image = imread(fetch.path("nuclei", "img2d.tif")).astype(np.float32)
    instances = imread(fetch.path("nuclei", "mask2d.tif")).astype(np.int32)
    return image, instances


def stack() -> tuple[np.ndarray, np.ndarray]:
    """A stack of nuclei, float32 (z, y, x), and its 51 instances, int32, 0 outside: data set
    `nuclei_3d`. Optional: `course data fetch nuclei_3d`."""
    from skimage.io import imread

    image = imread(fetch.path("nuclei_3d", "img3d.tif")).astype(np.float32)
    instances = imread(fetch.path("nuclei_3d", "mask3d.tif")).astype(np.int32)
    return image, instances
