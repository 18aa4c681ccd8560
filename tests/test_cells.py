"""Cells of feature maps lie where a network says that they lie: an impulse shows it."""

import pytest
import torch
from torch import nn

from course_lib.cases import Facts
from course_lib.methods.classification import agcnn_thorax
from course_lib.methods.detection.faster_rcnn import FasterRCNN
from course_lib.methods.detection.patch_cnn_detector import PatchCNNDetector
from course_lib.methods.detection.retinanet import RetinaNet
from course_lib.methods.frontier.attention_mil import AttentionMIL
from course_lib.methods.frontier.blob_filter import BlobFilter
from course_lib.parts.cells import Cells
from course_lib.parts.detection.pyramid import Pyramid
from course_lib.parts.detection.roi_align import roi_align
from course_lib.parts.frontier import saliency
from course_lib.parts.frontier.reader import Reader, small_resnet
from course_lib.parts.resnet import ResNet

WINDOW = (-1.0, 1.0)  # networks see images as they are
SIDE = 96
PLACES = [(40 + k, 52 - k) for k in range(16)]  # every phase of every stride


def positive(network):
    """The network with weights of one sign, so that what it answers is a blur of what it sees."""
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.weight.fill_(1 / layer.weight[0].numel())
                if layer.bias is not None:
                    layer.bias.zero_()
    return network.eval()


def impulses(side=SIDE):
    """Images that are dark but for one pixel."""
    image = torch.zeros(len(PLACES), 1, side, side)
    for k, (row, column) in enumerate(PLACES):
        image[k, 0, row, column] = 1
    return image


def centre(heat):
    """The middles of maps (N, H, W), (N, 2) pixels from the edge."""
    line = torch.arange(heat.shape[-1]) + 0.5
    mass = heat.sum((1, 2))
    return (
        torch.stack([(heat.sum(2) * line).sum(1), (heat.sum(1) * line).sum(1)], 1) / mass[:, None]
    )


def lies_on_the_impulses(heat):
    off = centre(heat) - (torch.tensor(PLACES) + 0.5)
    return bool((off.mean(0).abs() < 0.5).all())


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Conv2d(1, 1, 3, 2, 1), nn.Conv2d(1, 1, 3, 2, 1)],
        [nn.Conv2d(1, 1, 4, 2, 1), nn.Conv2d(1, 1, 3, 1, 1)],
        [nn.Conv2d(1, 1, 3, 1, 0), nn.MaxPool2d(2)],
        [nn.Conv2d(1, 1, 7, 1, 3), nn.MaxPool2d(3, 2, 1), nn.Conv2d(1, 1, 3, 2, 1)],
        [nn.Conv2d(1, 1, 3, 2, 1), nn.Conv2d(1, 1, 3, 1, 1, dilation=2), nn.AvgPool2d(2)],
    ],
)
def test_the_arithmetic_is_that_of_the_slope(layers):
    """The pixels that a cell hangs on lie around its middle."""
    network, image = positive(nn.Sequential(*layers)), torch.rand(1, 1, 64, 64)
    where = Cells().behind(network)
    for layer in network:
        if isinstance(layer, nn.MaxPool2d):  # it has a slope at one pixel: a mean has at all
            kind = nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding)
            network[list(network).index(layer)] = kind
    image.requires_grad_()
    answer = network(image)
    for cell in (4, 5):
        (slope,) = torch.autograd.grad(answer[0, 0, cell, cell], image, retain_graph=True)
        wanted = where.middles(8)[cell]
        assert centre(slope[0]).flatten().tolist() == pytest.approx([float(wanted)] * 2, abs=1e-3)


def test_maps_are_enlarged_linearly_between_the_middles():
    line = torch.arange(8.0)
    plane = (3 * line[:, None] + line)[None, None]
    assert torch.equal(Cells().enlarged(plane, (8, 8)), plane)
    for cells in (Cells(4, 0.5), Cells(4, 2.0), Cells(2, 1.5)):
        large = cells.enlarged(plane, (32, 32))[0, 0]
        y = ((torch.arange(32) + 0.5 - cells.first) / cells.stride).clamp(0, 7)
        assert torch.allclose(large, 3 * y[:, None] + y, atol=1e-4)
    assert Cells(8, 0.5).seen_from(Cells(4, 0.5)) == Cells(2, 0.5)
    assert Cells(8, 4.0).seen_from(Cells(4, 2.0)) == Cells(2, 1.0)


def test_each_level_of_the_pyramid_lies_where_anchors_are():
    pyramid = positive(Pyramid(1, WINDOW, width=4))
    image = torch.full((1, 1, 160, 160), 0.6, requires_grad=True)
    maps = pyramid(image)
    for level, cells in zip(maps, pyramid.cells, strict=True):
        middle = level.shape[-1] // 2
        for cell in (middle, middle + 1):  # of the finer maps every second one lies on a coarser
            (slope,) = torch.autograd.grad(level[0, :, cell, cell].sum(), image, retain_graph=True)
            wanted = float(cells.middles(200)[cell])
            assert centre(slope[0]).flatten().tolist() == pytest.approx([wanted] * 2, abs=0.5)


@pytest.mark.parametrize("method", [RetinaNet, FasterRCNN])
def test_a_detectors_anchors_stand_on_what_answers(method):
    facts = Facts(channels=1, classes=1, window=WINDOW)
    detector = method().fresh(facts).eval()
    image = torch.zeros(1, 1, SIDE, SIDE)
    every = detector(image)[2] if method is RetinaNet else detector.judge(image)[3]
    middles = (every[:, :2] + every[:, 2:]) / 2
    levels = [cells.middles(SIDE)[:4] for cells in detector.features.cells]
    expected = levels if method is RetinaNet else levels[:1]
    for wanted in expected:
        assert all((middles == place).all(1).any() for place in wanted[:, None].expand(-1, 2))
    fine = positive(detector.features)(impulses())[0].mean(1)
    cells = detector.features.cells[0]
    boxes = torch.tensor([[row - 15.5, col - 15.5, row + 16.5, col + 16.5] for row, col in PLACES])
    number = torch.arange(len(PLACES))
    seen = roi_align(fine[:, None], boxes, number, cells, size=8)[:, 0]
    off = centre(seen) * 4 - 16  # from the middle of a box around the impulse
    assert (off.mean(0).abs() < 0.5).all()


@pytest.mark.parametrize("kind", ["cam", "grad_cam"])
def test_explanations_lie_on_what_they_explain(kind):
    network = positive(small_resnet())
    with torch.no_grad():
        network.head.weight[0] = 0
    image = impulses()
    heat = saliency.MAPS[kind](network, image)
    assert lies_on_the_impulses(heat[:, 0])
    if kind == "grad_cam":
        for stage in (0, 1, 2):
            assert lies_on_the_impulses(saliency.grad_cam(network, image, stage)[:, 0])


def test_the_attended_place_lies_on_what_attracts():
    network = positive(ResNet(2, strides=agcnn_thorax.STRIDES))
    last = network.maps(impulses())[-1].detach()
    heat = agcnn_thorax.heat_map(last, (SIDE, SIDE), network.cells()[-1])
    assert lies_on_the_impulses(heat)
    boxes = torch.tensor([agcnn_thorax.attended_box(one.numpy(), 0.7) for one in heat])
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    assert ((middles - torch.tensor(PLACES) - 0.5).mean(0).abs() < 0.5).all()


def test_pixel_scores_of_the_reader_lie_on_what_it_reads():
    _, pixels = positive(Reader())(impulses())
    assert lies_on_the_impulses(pixels[:, 0].detach())


def test_maps_of_bags_and_blobs_lie_on_what_stands_out():
    image = impulses()
    method = positive(AttentionMIL("max").fresh(Facts(window=WINDOW)))
    with torch.no_grad():
        method.head.weight[0], method.head.weight[1] = -1, 1
        heat = method.predict({"image": image})["map"][:, 0]
    usual = heat.flatten(1).median(1).values[:, None, None]
    assert lies_on_the_impulses((heat - usual).clamp_min(0))
    blobs = BlobFilter().fresh(Facts(window=WINDOW)).predict({"image": image})["map"]
    assert lies_on_the_impulses(blobs[:, 0])


def test_windows_lie_in_the_middle_of_the_boxes_that_they_give():
    """A window answers most if an object is in its middle: then the box is around the object."""
    facts = Facts(channels=1, classes=1, window=(0.0, 1.0))
    method = PatchCNNDetector(stride=2).fresh(facts).eval()
    line = torch.arange(24) - 11.5
    hill = torch.exp(-(line[:, None] ** 2 + line**2) / 20)

    class Hill(nn.Module):
        def forward(self, patches):
            return ((patches + 1)[:, 0] * hill).sum((1, 2))[:, None] / 50

    method.network = Hill()
    image = torch.zeros(4, 1, 64, 64)
    corners = [(20, 30), (21, 30), (20, 31), (21, 31)]
    for k, (row, column) in enumerate(corners):
        image[k, 0, row : row + 6, column : column + 6] = 1
    best = method.predict({"image": image})["boxes"][:, 0]
    off = (best[:, :2] + best[:, 2:]) / 2 - (torch.tensor(corners) + 3)
    assert off.mean(0).abs().max() <= 0.5 and off.abs().max() <= 1
