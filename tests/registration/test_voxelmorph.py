"""VoxelMorph: what makes it itself."""

import pytest
from torch import nn

from course_lib.errors import CourseError
from course_lib.methods.registration.voxelmorph import VoxelMorph
from course_lib.parts.registration import losses
from course_lib.parts.registration.fields import standardised


@pytest.fixture
def known(splits):
    return splits("registration", "brain_2d/known_fields")


def test_voxelmorph_needs_no_label_and_no_field(known):
    batch = known.train.batch(slice(0, 2))
    images_only = {key: batch[key] for key in ("fixed", "moved")}
    method = VoxelMorph(similarity="mse", smooth=0.0).fresh(known.facts)
    (_, loss), *more = method.losses(images_only)
    one, other = standardised(batch["fixed"]), standardised(batch["moved"])
    assert not more and loss.item() == pytest.approx(float((one - other).square().mean()), rel=0.01)
    with pytest.raises(CourseError, match="mse"):
        VoxelMorph(similarity="mi")


def test_voxelmorph_weighs_smoothness(known):
    batch = known.train.batch(slice(0, 2))
    method = VoxelMorph(smooth=0.0).fresh(known.facts)
    nn.init.normal_(method.network.field.weight, std=0.2)
    plain = next(method.losses(batch))[1].item()
    method.smooth = 2.0
    field = method.network(standardised(batch["moved"]), standardised(batch["fixed"]))
    smooth = losses.smoothness(field).item()
    assert next(method.losses(batch))[1].item() == pytest.approx(plain + 2 * smooth, rel=1e-3)
    assert method.told["smooth"].item() == pytest.approx(smooth)
    method.match = 0.0
    assert next(method.losses(batch))[1].item() == pytest.approx(2 * smooth, rel=1e-3)
