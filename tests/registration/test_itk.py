"""SimpleITK's registrations on tensors."""

import torch

from course_lib.parts.registration import itk
from course_lib.parts.registration.fields import images


def test_simpleitk_fields_have_our_axes_and_direction():
    line = torch.arange(48.0)
    ball = torch.exp(-((line[:, None] - 20) ** 2 + (line - 24) ** 2) / 60)[None, None]
    moved = torch.roll(ball, (4, -2), (2, 3))  # moving(x + (4, -2)) = fixed(x)
    for field in (
        itk.affine(ball, moved),
        itk.demons(ball, moved, 2.0, 60),
    ):
        found = field[0, :, 20, 24]
        assert (found - torch.tensor([4.0, -2.0])).abs().max() < 1.0, found


def test_simpleitk_repeats_itself_and_leaves_its_threads_as_they_were(splits):
    import SimpleITK as sitk

    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    pair = images(splits("registration", "brain_2d/known_fields").validation.tensors)
    first, *others = (itk.bspline(*pair, "mutual_information", 6, 30) for _ in range(4))
    assert all(torch.equal(first, other) for other in others)
    assert sitk.ProcessObject.GetGlobalDefaultNumberOfThreads() == before
