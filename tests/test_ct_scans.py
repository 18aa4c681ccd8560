"""What the CT questions share: changed copies of training slices."""

import torch

from course_lib.tasks import ct_scans


def test_copies_are_of_training_slices_and_crops_lie_in_the_made_up_chest():
    truth = torch.full((3, 1, 64, 64), -1000.0)
    truth[..., 16:48, 12:52] = 50.0
    generator = torch.Generator().manual_seed(0)
    whole, everything = ct_scans.moved(truth, 360 / 64, False, generator)
    assert not torch.equal(whole, truth) and not torch.equal(whole[0], whole[1])
    assert whole.min() >= -1000 and whole.max() <= 50.001
    assert everything.tolist() == [[0, 0, 64, 64]] * 3
    cropped, regions = ct_scans.moved(truth, 360 / 64, True, generator)
    chest = ct_scans.elliptical_chest(64, 360 / 64)[0, 0]
    for crop, (top, left, bottom, right) in zip(cropped[:, 0], regions.tolist(), strict=True):
        assert 23 <= bottom - top <= 36 and 23 <= right - left <= 36  # 134 to 200 mm
        around = torch.ones(64, 64, dtype=torch.bool)
        around[top:bottom, left:right] = False
        assert torch.equal(crop[around], chest[around])
        assert (crop[~around] - chest[~around]).abs().max() > 100
