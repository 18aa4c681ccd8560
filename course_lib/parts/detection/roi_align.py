"""RoIAlign: a small map of fixed size for every box, sampled without rounding to cells.

He et al. 2017, ICCV, doi 10.1109/ICCV.2017.322. torchvision has one too, but not
everywhere does torchvision work.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.parts.cells import Cells


def roi_align(
    features: Tensor, boxes: Tensor, case: Tensor, cells: Cells, size: int = 5, samples: int = 2
) -> Tensor:
    """The mean of `samples`² bilinear samples in each of size x size bins of every box.

    Arguments:
        features: (N, C, H, W); cells: where its cells lie in the image.
        boxes: (R, 4) top, left, bottom, right in pixels; case: (R,) the image of each.
    Returns (R, C, size, size). Beyond the map counts as zero.
    """
    height, width = features.shape[-2:]
    count = size * samples
    step = (torch.arange(count, device=boxes.device) + 0.5) / count
    rows = boxes[:, :1] + step * (boxes[:, 2:3] - boxes[:, :1])
    columns = boxes[:, 1:2] + step * (boxes[:, 3:4] - boxes[:, 1:2])
    # For `grid_sample`, the map's outer edges, half a cell beyond the outermost cells, are ±1.
    y, x = (
        (2 * (place - cells.first) / cells.stride + 1) / side - 1
        for place, side in ((rows, height), (columns, width))
    )
    grid = torch.stack(
        [x[:, None].expand(-1, count, -1), y[:, :, None].expand(-1, -1, count)], dim=-1
    )
    result = features.new_zeros(len(boxes), features.shape[1], size, size)
    for image in case.unique().tolist():
        own = (case == image).nonzero()[:, 0]
        tall = grid[own].reshape(1, -1, count, 2)  # all boxes of an image in one call
        sampled = F.grid_sample(features[image : image + 1], tall, align_corners=False)
        sampled = sampled.view(-1, len(own), count, count).transpose(0, 1)
        result = result.index_copy(0, own, F.avg_pool2d(sampled, samples))
    return result
