"""RoIAlign against its closed form."""

import torch

from course_lib.parts.cells import Cells
from course_lib.parts.detection.roi_align import roi_align


def test_roi_align_of_a_plane_is_the_plane_at_the_bins_middles():
    """Bilinear samples of a linear map are exact: closed form."""
    cells = Cells(4, 0.5)
    y, x = torch.meshgrid(cells.middles(16), cells.middles(12), indexing="ij")
    maps = torch.stack([y, x, y * 0 + 7])[None].repeat(2, 1, 1, 1)
    boxes = torch.tensor([[8.0, 6, 38, 26], [11.3, 5.5, 20, 33.7]])
    out = roi_align(maps, boxes, torch.tensor([1, 0]), cells, size=5)
    assert out.shape == (2, 3, 5, 5)
    step = (torch.arange(5) + 0.5) / 5
    for k, (top, left, bottom, right) in enumerate(boxes):
        assert torch.allclose(out[k, 0, :, 2], top + step * (bottom - top), atol=1e-3)
        assert torch.allclose(out[k, 1, 2], left + step * (right - left), atol=1e-3)
        assert torch.allclose(out[k, 2], torch.tensor(7.0))
    other = roi_align(torch.stack([maps[0], -maps[0]]), boxes, torch.tensor([1, 0]), cells)
    assert torch.allclose(other[0], -out[0]) and torch.allclose(other[1], out[1])
