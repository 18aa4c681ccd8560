"""Supervised regression of fields: what makes it itself."""

import pytest
import torch
from torch import nn

from course_lib.errors import CourseError
from course_lib.methods.registration import supervised_ddf_regression as ddf
from course_lib.methods.registration.demons import Demons
from course_lib.methods.registration.supervised_ddf_regression import SupervisedDDFRegression
from course_lib.parts.registration import affine
from course_lib.parts.registration.fields import standardised
from course_lib.tasks.registration import pairs


def batch_of(train, count):
    return pairs.sample(train, "smoke", count, torch.Generator().manual_seed(0))


def drawn(method, known, count):
    return method.draw(known.train, batch_of, count)


@pytest.fixture
def known(splits):
    return splits("registration", "brain_2d/known_fields")


def test_supervised_loss_looks_at_no_image(known):
    """The loss is the distance to the label field, whatever the images show."""
    method = SupervisedDDFRegression().fresh(known.facts)
    method.begin("train", known.train)
    batch = drawn(method, known, 2)
    nn.init.zeros_(method.network.field.weight)
    wanted = batch["wanted"].norm(dim=1).mean()
    for images in (batch, batch | {"fixed": batch["moved"]}):
        assert next(method.losses(images))[1].item() == pytest.approx(float(wanted), rel=1e-3)


def test_supervised_labels_come_from_their_source(known):
    batch = known.train.batch(slice(0, 2))
    exact, noisy, demons, few = (
        SupervisedDDFRegression(name).label_fields(batch)
        for name in ("exact", "noisy", "demons", "demons_few")
    )
    assert torch.equal(exact, batch["displacement"])
    assert 0.7 < float((noisy - exact).std()) < 2.5
    assert torch.equal(noisy, SupervisedDDFRegression("noisy").label_fields(batch))
    found = Demons().register(*map(standardised, (batch["fixed"], batch["moved"])))
    assert torch.equal(demons, affine.after(batch["start"], found))
    assert not torch.equal(few, demons)
    sizes = {
        sum(p.numel() for p in SupervisedDDFRegression(name).fresh(known.facts).parameters())
        for name in ("exact", "demons")
    }
    assert len(sizes) == 1


def test_supervised_keeps_each_pairs_own_label(known, monkeypatch):
    monkeypatch.setattr(ddf, "varied_with", lambda *unchanged: unchanged)
    method = SupervisedDDFRegression("noisy").fresh(known.facts)
    method.begin("train", known.train)
    batch, number = drawn(method, known, 3), batch_of(known.train, 3)["number"]
    assert torch.equal(batch["wanted"], method.fields[number])
    whole = affine.after(known.train["start"], method.fields)
    assert torch.allclose(whole, method.label_fields(known.train.tensors), atol=1e-3)
    assert torch.equal(batch["fixed"], standardised(known.train["fixed"][number]))


def test_supervised_takes_the_best_labels_that_there_are(known, splits):
    donors = splits("registration", "brain_2d/between_donors").train.batch(slice(0, 2))
    batch, method = known.train.batch(slice(0, 2)), SupervisedDDFRegression()
    assert torch.equal(method.label_fields(batch), batch["displacement"])
    by_demons = SupervisedDDFRegression("demons").label_fields(donors)
    assert torch.equal(method.label_fields(donors), by_demons)


def test_supervised_says_what_it_lacks(splits):
    donors = splits("registration", "brain_2d/between_donors")
    with pytest.raises(CourseError, match="labels=demons"):
        SupervisedDDFRegression("exact").fresh(donors.facts).begin("train", donors.train)
    with pytest.raises(CourseError, match="exact"):
        SupervisedDDFRegression("syn")
