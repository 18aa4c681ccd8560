"""Networks that answer fields, in slices and volumes."""

import pytest
import torch

from course_lib import catalogue
from course_lib.cases import Facts


@pytest.mark.parametrize("name", ["voxelmorph", "supervised_ddf_regression", "icnet"])
@pytest.mark.parametrize("dims", [2, 3])
def test_networks_start_from_no_deformation(name, dims):
    method = catalogue.build(name).fresh(Facts(dims=dims))
    pair = torch.rand(1, 1, *[16] * dims), torch.rand(1, 1, *[16] * dims)
    field = method.network(*pair)
    assert field.shape == (1, dims, *[16] * dims) and field.abs().max() < 1e-2


@pytest.mark.parametrize("name", ["voxelmorph", "supervised_ddf_regression", "icnet"])
def test_one_object_serves_slices_and_then_volumes(name, splits):
    method, sizes = catalogue.build(name), []
    for dataset in ("brain_2d/known_fields", "brain_3d/known_fields"):
        cases = splits("registration", dataset)
        method.fresh(cases.facts)
        sizes.append(method.predict(cases.test.batch(slice(0, 1)))["forward"].shape)
    assert sizes == [(1, 2, 32, 32), (1, 3, 16, 16, 16)]
