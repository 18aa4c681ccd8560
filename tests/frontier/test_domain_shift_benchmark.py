"""The plain reader: three answers of one network, two terms of one loss."""

import pytest
import torch
import torch.nn.functional as F

from course_lib import device
from course_lib.methods.frontier.domain_shift_benchmark import DomainShiftBenchmark
from course_lib.tasks.frontier import scanner_shift


def test_the_reader_answers_three_questions_with_one_network(cases):
    test = cases("scanner_shift/one_scanner").test.subset(range(4))
    method = DomainShiftBenchmark().fresh(test.facts).eval()
    with torch.no_grad():
        answer = method.predict(test.tensors)
    assert answer["probability"].shape == (4, 2) and answer["map"].shape == (4, 1, 64, 64)
    scores = scanner_shift.score(answer, test.tensors, test.facts)
    assert {"auc", "ece", "dice", "pointing"} <= set(scores)  # class, calibration, pixels, place


def test_pixels_of_nodules_weigh_ten_times(cases):
    train = cases("scanner_shift/one_scanner").train
    method = DomainShiftBenchmark(outline=0.5).fresh(train.facts).eval()
    batch = train.batch(slice(0, 4))
    with torch.no_grad():
        terms, ((_, loss),) = method.terms(batch), method.losses(batch)
        scores, pixels = method.network(method.image(batch))
    mask = batch["mask"].float()
    each = F.binary_cross_entropy_with_logits(pixels, mask, reduction="none")
    outline = (each * (1 + 9 * mask)).mean()
    assert float(terms["outline"]) == pytest.approx(float(outline), rel=1e-5)
    wanted = F.cross_entropy(scores, batch["label"]) + 0.5 * outline
    assert float(loss) == pytest.approx(float(wanted), rel=1e-5)


def test_without_outlines_yes_and_no_alone_teach(cases):
    train = cases("scanner_shift/one_scanner").train
    with device.seeded(0):
        method = DomainShiftBenchmark(outline=0.0).fresh(train.facts)
    batch = train.batch(slice(0, 4))
    assert set(method.terms(batch)) == {"label"}
    assert not any(p.requires_grad for p in method.network.pixels.parameters())
    ((_, loss),) = method.losses({name: batch[name] for name in ("image", "label")})
    loss.backward()
    learning = [p for p in method.parameters() if p.requires_grad]
    assert learning and all(p.grad is not None for p in learning)
