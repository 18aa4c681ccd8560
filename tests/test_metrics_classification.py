"""Classification against scikit-learn and closed forms."""

import numpy as np
import pytest
import sklearn.metrics as reference
import torch

from course_lib.errors import CourseError
from course_lib.metrics import classification as metrics

devices = ["cpu"] + ["cuda"] * torch.cuda.is_available()


@pytest.fixture(scope="module")
def four_classes():
    generator = torch.Generator().manual_seed(0)
    labels = torch.multinomial(torch.tensor([0.6, 0.25, 0.1, 0.05]), 300, True, generator=generator)
    logits = torch.randn(300, 4, generator=generator)
    logits[torch.arange(300), labels] += 1
    return logits.softmax(1), labels


@pytest.mark.parametrize("device", devices)
def test_agrees_with_scikit_learn(four_classes, device):
    probabilities, labels = (x.to(device) for x in four_classes)
    p, t = (x.double().numpy() for x in four_classes)
    p /= p.sum(1, keepdims=True)
    predicted = probabilities.argmax(1)
    ours = {
        "auc": metrics.auc(probabilities, labels),
        "binary": metrics.auc(probabilities[:, 0], (labels == 0).long()),
        "balanced": metrics.balanced_accuracy(predicted, labels, 4),
        "accuracy": metrics.correct(probabilities, labels).mean(),
        "brier": metrics.brier(probabilities, labels).mean(),
    }
    theirs = {
        "auc": reference.roc_auc_score(t, p, multi_class="ovr", average="macro"),
        "binary": reference.roc_auc_score(t == 0, p[:, 0]),
        "balanced": reference.balanced_accuracy_score(t, p.argmax(1)),
        "accuracy": reference.accuracy_score(t, p.argmax(1)),
        "brier": np.mean(((p - np.eye(4)[t.astype(int)]) ** 2).sum(1)),
    }
    for name, value in ours.items():
        assert value.item() == pytest.approx(theirs[name], abs=1e-6), name
    recall = reference.recall_score(t, p.argmax(1), average=None)
    assert np.allclose(metrics.recall_per_class(predicted, labels, 4).cpu(), recall)


def test_auc_with_ties_and_order():
    labels = torch.tensor([0, 0, 1, 1, 0, 1, 1])
    scores = torch.tensor([0.1, 0.5, 0.5, 0.9, 0.9, 0.5, 0.2])
    expected = reference.roc_auc_score(labels, scores)
    assert metrics.auc(scores, labels).item() == pytest.approx(expected)
    order = torch.tensor([3, 1, 6, 0, 5, 2, 4])
    assert metrics.auc(scores[order], labels[order]).item() == pytest.approx(expected)
    # Any monotone score will do; turning it around mirrors the curve.
    assert metrics.auc(scores.exp() * 100, labels).item() == pytest.approx(expected)
    assert metrics.auc(-scores, labels).item() == pytest.approx(1 - expected)
    assert metrics.auc(labels.float(), labels) == 1
    assert metrics.auc(torch.zeros(7), labels) == 0.5


def test_calibration_error_closed_forms():
    # Of 100 cases called with 0.8, 80 are right: calibrated; or 50 are right: off by 0.3.
    probabilities = torch.tensor([[0.8, 0.2]]).repeat(100, 1)
    labels = (torch.arange(100) >= 80).long()
    assert metrics.calibration_error(probabilities, labels).item() == pytest.approx(0, abs=1e-6)
    labels = (torch.arange(100) >= 50).long()
    assert metrics.calibration_error(probabilities, labels).item() == pytest.approx(0.3, abs=1e-6)
    sure = torch.tensor([[1.0, 0.0]]).repeat(4, 1)
    assert metrics.calibration_error(sure, torch.tensor([0, 0, 0, 1])).item() == pytest.approx(0.25)


def test_calibration_error_against_the_reliability_diagram_of_scikit_learn(four_classes):
    from sklearn.calibration import calibration_curve

    probabilities, labels = four_classes
    confidence, hit = probabilities.max(1).values, probabilities.argmax(1) == labels
    right, said = calibration_curve(hit.numpy(), confidence.numpy(), n_bins=15)
    index = np.ceil(confidence.double().numpy() * 15).astype(int)
    weight = np.bincount(index, minlength=16)[1:]
    expected = (np.abs(right - said) * weight[weight > 0]).sum() / 300
    ours = metrics.calibration_error(probabilities, labels).item()
    assert ours == pytest.approx(expected, abs=1e-6)


def test_sharpening_hurts_calibration_only():
    generator = torch.Generator().manual_seed(1)
    logits = 2 * torch.randn(4000, 3, generator=generator)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    errors = [metrics.calibration_error((k * logits).softmax(1), labels) for k in (1, 2, 4)]
    scores = [metrics.brier((k * logits).softmax(1), labels).mean() for k in (1, 2, 4)]
    assert errors[0] < 0.03 and errors == sorted(errors)
    assert scores == sorted(scores)
    assert torch.equal(
        metrics.correct(logits.softmax(1), labels), metrics.correct((4 * logits).softmax(1), labels)
    )


def test_perfect_prediction_and_per_case_values(four_classes):
    probabilities, labels = four_classes
    perfect = torch.nn.functional.one_hot(labels, 4).float()
    assert metrics.auc(perfect, labels) == 1
    assert metrics.balanced_accuracy(labels, labels, 4) == 1
    assert metrics.calibration_error(perfect, labels) == 0
    assert (metrics.brier(perfect, labels) == 0).all()
    assert (metrics.correct(perfect, labels) == 1).all()
    for score in (metrics.correct, metrics.brier):
        whole = score(probabilities, labels)
        items = [score(probabilities[i : i + 1], labels[i : i + 1]) for i in range(300)]
        order = torch.arange(299, -1, -1)
        assert torch.allclose(whole, torch.cat(items))
        assert torch.equal(score(probabilities[order], labels[order]), whole[order])


def test_absent_classes_and_nan(four_classes):
    probabilities, labels = four_classes
    kept = labels != 3
    recall = metrics.recall_per_class(probabilities[kept].argmax(1), labels[kept], 4)
    assert recall.isnan().tolist() == [False, False, False, True]
    assert metrics.balanced_accuracy(
        probabilities[kept].argmax(1), labels[kept], 4
    ).item() == pytest.approx(recall[:3].mean().item())
    assert metrics.auc(probabilities[kept], labels[kept]).isfinite()
    assert metrics.auc(torch.rand(5), torch.ones(5, dtype=torch.long)).isnan()
    broken = probabilities.clone()
    broken[7] = torch.nan
    assert metrics.auc(broken, labels).isnan()
    assert metrics.calibration_error(broken, labels).isnan()
    assert metrics.correct(broken, labels).isnan().sum() == 1
    assert metrics.brier(broken, labels).isnan().sum() == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda p, t: metrics.correct(p[:, 0], t),
        lambda p, t: metrics.auc(p[:, 0], t),
        lambda p, t: metrics.recall_per_class(p, t, 4),
        lambda p, t: metrics.calibration_error(p[:10], t),
    ],
)
def test_bad_input_is_explained(call, four_classes):
    with pytest.raises(CourseError):
        call(*four_classes)


def test_shares_of_cases_average_to_the_value_of_the_set(four_classes):
    p, t = four_classes
    weighted = reference.roc_auc_score(
        t, p.double() / p.double().sum(1, keepdim=True), multi_class="ovr", average="weighted"
    )
    assert metrics.auc_per_case(p, t).mean().item() == pytest.approx(weighted, abs=1e-5)
    two, truth = torch.stack([1 - p[:, 0], p[:, 0]], 1), (t == 0).long()
    rounded = (two * 10).round() / 10  # with ties
    assert metrics.auc_per_case(rounded, truth).mean() == pytest.approx(
        metrics.auc(rounded[:, 1], truth).item(), abs=1e-6
    )
    assert metrics.balanced_per_case(p, t).mean() == pytest.approx(
        metrics.balanced_accuracy(p.argmax(1), t, 4).item(), abs=1e-6
    )
    assert metrics.calibration_per_case(p, t).mean() == pytest.approx(
        metrics.calibration_error(p, t).item(), abs=1e-6
    )


def test_the_parts_of_an_auc_scatter_as_much_as_the_auc():
    """The standard error from one set is the spread of the AUC over many sets."""
    generator = torch.Generator().manual_seed(0)
    label = (torch.arange(160) < 67).long()
    areas, errors = [], []
    for _ in range(400):
        score = (torch.randn(160, generator=generator) + 1.35 * label).sigmoid()
        parts = metrics.auc_per_case(torch.stack([1 - score, score], 1), label)
        areas.append(parts.mean())
        errors.append(parts.std() / 160**0.5)
    areas, errors = torch.stack(areas), torch.stack(errors)
    assert errors.mean() == pytest.approx(areas.std().item(), rel=0.08)
    covered = ((areas - 0.8302).abs() < 1.96 * errors).float().mean()  # Φ(1.35 / √2) = 0.8302
    assert 0.91 < covered < 0.98


def test_a_set_of_one_class_has_no_ranks():
    p, t = torch.tensor([[0.2, 0.8], [0.6, 0.4]]), torch.tensor([1, 1])
    assert metrics.auc_per_case(p, t).isnan().all()
    assert metrics.balanced_per_case(p, t).tolist() == [1.0, 0.0]
