"""CycleGAN with gradient consistency: what makes it itself."""

import pytest
import torch

from course_lib import catalogue, device
from course_lib.methods.translation.cyclegan import CycleGAN
from course_lib.methods.translation.gc_cyclegan import GCCycleGAN
from course_lib.parts.translation.gradients import gradient_consistency
from course_lib.parts.translation.translators import to_unit
from tests.translation.made import batch_of, made


@pytest.fixture
def cases(splits):
    return splits("translation")


def test_gradient_consistency_compares_inputs_with_their_translations(cases):
    batch, method = batch_of(cases), made(GCCycleGAN, cases)
    x = to_unit(batch["source"], cases.facts.source_range)
    y = to_unit(batch["unpaired_target"], cases.facts.target_range)
    with torch.no_grad():
        real = {"source": x, "target": y}
        fake = {"target": method.there(x), "source": method.back(y)}
        terms, plain = method.judged(real, fake), CycleGAN.judged(method, real, fake)
        there, back = (
            gradient_consistency(x, fake["target"]),
            gradient_consistency(y, fake["source"]),
        )
        term = float(method.weighted(terms) - method.weighted(plain))
    assert set(terms) - set(plain) == {"gradient"}
    assert term == pytest.approx(method.gradient * 0.5 * float(there + back), rel=1e-4)


def test_gradient_consistency_without_its_weight_is_cyclegan(cases):
    batch, values = batch_of(cases), []
    methods = (
        made(GCCycleGAN, cases, gradient=0.0),
        made(CycleGAN, cases),
        made(GCCycleGAN, cases),
    )
    for method in methods:
        with device.seeded(1):
            values.append([float(loss) for _, loss in method.losses(batch)])
    assert values[0] == values[1] and values[0][0] < values[2][0]


def test_the_options_of_cyclegan_are_here_too():
    method = catalogue.build("gc_cyclegan", cycle=5.0, identity=1.0, width=8)
    assert (method.cycle, method.identity, method.width, method.gradient) == (5, 1, 8, 1)
