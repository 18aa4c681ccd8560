"""SimpleITK's registrations on tensors: demons, and transforms found by its optimisers.

SimpleITK counts axes from x; our fields count from the first axis. Both pull, and both point from
the fixed image to the moving one, so that nothing but the order changes. Images get a spacing of
one: lengths are voxels.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

BINS, BLUR = 50, 1
"""Of the histogram of mutual information, and the Gaussian in voxels before it is filled: with 24
bins, or without the blur, B-splines drove training pairs of two contrasts apart on average."""


def each_pair(register: Callable, fixed: Tensor, moving: Tensor) -> Tensor:
    """`register(fixed image, moving image)` → SimpleITK field, for all pairs (N, 1, *spatial), as
    many at a time as PyTorch may use cores. Each pair has one thread: several add up numbers in an
    order of their own, and an optimiser makes other fields of other last digits.

    Returns (N, d, *spatial) in voxels.
    """
    import SimpleITK as sitk

    def of_pair(one: Tensor, other: Tensor) -> Tensor:
        field = register(*(sitk.GetImageFromArray(x[0].float().numpy()) for x in (one, other)))
        array = sitk.GetArrayFromImage(field).astype(np.float32)
        return torch.from_numpy(array).movedim(-1, 0).flip(0)

    threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:  # SimpleITK lets go of Python's lock
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            found = list(pool.map(of_pair, fixed.cpu(), moving.cpu()))
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    return torch.stack(found).to(fixed.device)


def demons(fixed: Tensor, moving: Tensor, sigma: float, iterations: int, levels: int = 3) -> Tensor:
    """Diffeomorphic demons with symmetric forces, on a pyramid: (N, d, *spatial) voxels.

    Arguments:
        fixed, moving: (N, 1, *spatial), brightness of the same meaning.
        sigma: Gaussian that smooths the field after every iteration, voxels.
        iterations: on each level, of which the coarsest has 2^(levels - 1) times fewer voxels.
    Source: Vercauteren et al. 2009, doi 10.1016/j.neuroimage.2008.10.040.
    """
    import SimpleITK as sitk

    def register(one, other):
        method = sitk.DiffeomorphicDemonsRegistrationFilter()
        method.SetNumberOfIterations(iterations)
        method.SmoothDisplacementFieldOn()
        method.SetStandardDeviations(sigma)
        field = None
        for level in reversed(range(levels)):
            small, other_small = (_shrink(image, 2**level) for image in (one, other))
            if field is not None:
                field = sitk.Resample(field, small, sitk.Transform(), sitk.sitkLinear)
                field = _fill_edges(field)
                field = method.Execute(small, other_small, field)
            else:
                field = method.Execute(small, other_small)
        return field

    return each_pair(register, fixed, moving)


def _shrink(image, factor: int):
    import SimpleITK as sitk

    if factor == 1:
        return image
    smooth = sitk.SmoothingRecursiveGaussian(image, 0.5 * factor)
    return sitk.Shrink(smooth, [factor] * image.GetDimension())


def _fill_edges(field):
    """Resampling leaves zeros beyond the outermost coarse voxels: repeat what lies inside."""
    import SimpleITK as sitk

    array = sitk.GetArrayFromImage(field)
    spatial = array.shape[:-1]
    empty = ~array.any(-1)
    for axis, size in enumerate(spatial):
        rows = empty.all(tuple(k for k in range(len(spatial)) if k != axis))
        inside = np.flatnonzero(~rows)
        if len(inside):
            nearest = np.clip(np.arange(size), inside[0], inside[-1])
            array = np.take(array, nearest, axis)
    filled = sitk.GetImageFromArray(array, isVector=True)
    filled.CopyInformation(field)
    return filled


def affine(fixed: Tensor, moving: Tensor, iterations: int = 80) -> Tensor:
    """The displacement of an affine map for each pair, (N, d, *spatial) voxels; none where the
    optimiser fails. Gradient descent on correlation, on two resolutions.

    Arguments:
        fixed, moving: (N, 1, *spatial).
    """
    import SimpleITK as sitk

    def register(one, other):
        method = _registration("correlation")
        method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-3, iterations)
        method.SetOptimizerScalesFromPhysicalShift()
        method.SetShrinkFactorsPerLevel([2, 1])
        method.SetSmoothingSigmasPerLevel([1, 0])
        found = sitk.AffineTransform(one.GetDimension())
        found.SetCenter([(size - 1) / 2 for size in one.GetSize()])
        method.SetInitialTransform(found, True)
        try:
            method.Execute(one, other)
        except RuntimeError:  # images without any contrast, or moved out of sight
            found.SetIdentity()
        return _field(found, one)

    return each_pair(register, fixed, moving)


def bspline(
    fixed: Tensor, moving: Tensor, similarity: str, mesh: int, iterations: int = 30
) -> Tensor:
    """Cubic B-splines on a mesh of so many cells along an axis: (N, d, *spatial) voxels; none
    where the optimiser fails.

    Arguments:
        fixed, moving: (N, 1, *spatial).
        similarity: `correlation`, or `mutual_information` for images of two contrasts.
    Source: Rueckert et al. 1999, doi 10.1109/42.796284; Mattes et al. 2003,
        doi 10.1109/TMI.2003.809072.
    """
    import SimpleITK as sitk

    def register(one, other):
        method = _registration(similarity)
        method.SetOptimizerAsLBFGSB(numberOfIterations=iterations, maximumNumberOfCorrections=5)
        method.SetShrinkFactorsPerLevel([1])
        method.SetSmoothingSigmasPerLevel([0 if similarity == "correlation" else BLUR])
        spline = sitk.BSplineTransformInitializer(one, [mesh] * one.GetDimension(), 3)
        method.SetInitialTransform(spline, True)
        try:
            method.Execute(one, other)
        except RuntimeError:
            spline.SetParameters([0.0] * spline.GetNumberOfParameters())
        return _field(spline, one)

    return each_pair(register, fixed, moving)


def _registration(similarity: str):
    import SimpleITK as sitk

    method = sitk.ImageRegistrationMethod()
    if similarity == "correlation":
        method.SetMetricAsCorrelation()
    else:
        method.SetMetricAsMattesMutualInformation(BINS)
    method.SetInterpolator(sitk.sitkLinear)
    return method


def _field(transform, image):
    """A transform as SimpleITK's displacement field on an image's grid."""
    import SimpleITK as sitk

    kind, size, origin = sitk.sitkVectorFloat64, image.GetSize(), image.GetOrigin()
    spacing, direction = image.GetSpacing(), image.GetDirection()
    return sitk.TransformToDisplacementField(transform, kind, size, origin, spacing, direction)
