"""Where all methods of a pair start."""

import pytest
import torch

from course_lib import catalogue
from course_lib.fit import predict
from course_lib.parts.registration import affine, itk
from course_lib.physics import fields


def maps(count=3, dims=2):
    noise = 0.1 * torch.randn(count, dims, dims + 1, generator=torch.Generator().manual_seed(0))
    return torch.eye(dims, dims + 1) + noise


@pytest.mark.parametrize("dims", [2, 3])
def test_a_map_its_displacement_and_its_way_back_are_one(dims):
    known = maps(dims=dims)
    field = affine.displacement(known, (9, 12, 10)[:dims])
    assert torch.allclose(affine.matrix(field), known, atol=1e-5)
    there_and_back = affine.after(affine.back(known), field)
    assert there_and_back.abs().max() < 1e-4


def test_an_answer_goes_through_the_map_on_both_ways():
    """A picture moved by a map and then bent comes back by the answer's two fields."""
    line = torch.linspace(-1, 1, 40)
    ball = torch.exp(-8 * ((line[:, None] - 0.1) ** 2 + (line + 0.1) ** 2))[None, None]
    known = maps(1)
    bend = 1.5 * torch.stack([torch.sin(3 * line).expand(40, 40), torch.zeros(40, 40)])[None]
    moved = affine.moved(ball, known)
    fixed = fields.warp(moved, bend)
    answer = affine.whole(bend, fields.inverse(bend), known)
    assert (fields.warp(ball, answer["forward"]) - fixed).abs().max() < 0.03
    inner = (slice(None), slice(None), slice(8, -8), slice(8, -8))
    assert (fields.warp(fixed, answer["backward"]) - ball)[inner].abs().max() < 0.03


def test_maps_are_searched_for_once(monkeypatch):
    generator = torch.Generator().manual_seed(int(torch.randint(10**6, ())))
    fixed, moving = torch.rand(2, 2, 1, 16, 16, generator=generator)
    first = affine.found(fixed, moving, "correlation")
    monkeypatch.setattr(itk, "affine", None)
    assert torch.equal(first, affine.found(fixed, moving, "correlation"))
    with pytest.raises(TypeError):
        affine.found(moving, fixed, "correlation")


def test_pictures_without_contrast_stay_where_they_are():
    blank = torch.zeros(1, 1, 16, 16)
    for found in (affine.matrix(itk.affine(blank, blank)), affine.descent(blank, blank)):
        assert torch.allclose(found, torch.eye(2, 3)[None], atol=1e-4)


@pytest.mark.parametrize("dims", [2, 3])
def test_descent_finds_a_map_between_two_contrasts(dims):
    shape = (24,) * dims
    image = fields.random_velocity(shape, 1, 3.0, 1.0, torch.Generator().manual_seed(1))[:, :1]
    known = torch.eye(dims, dims + 1)[None]
    known[:, 0, 1], known[:, :, -1] = 0.1, 1.5
    other = -image - 0.3 * image.square()
    found = affine.descent(affine.moved(other, known), image)
    away = affine.displacement(found, shape) - affine.displacement(known, shape)
    before = affine.displacement(known, shape)
    inner = (..., *[slice(6, -6)] * dims)
    assert away[inner].norm(dim=1).mean() < 0.35 * before[inner].norm(dim=1).mean()


LEARNED = ["voxelmorph", "icnet", "supervised_ddf_regression"]


@pytest.mark.parametrize("name", ["affine", "demons", "bspline", "ffd_ncc", *LEARNED])
def test_every_method_starts_from_the_pairs_map(name, splits):
    """Where fixed and moved are the same picture, the answer is the map."""
    cases = splits("registration", "brain_2d/known_fields").test.subset([0, 1])
    known = maps(2)
    moving = affine.moved(cases["fixed"], affine.back(known))
    cases.tensors.update({"moved": cases["fixed"], "moving": moving, "start": known})
    answer = predict(catalogue.build(name), cases)
    head = cases["fixed_label"] > 0
    there = (answer["forward"] - affine.displacement(known, (32, 32))).norm(dim=1, keepdim=True)
    home = answer["backward"] - affine.displacement(affine.back(known), (32, 32))
    assert there[head].mean() < 0.4 and home.norm(dim=1, keepdim=True)[head].mean() < 0.4
