"""Consensus network and Noise2Noise: what makes them themselves."""

import torch

from course_lib.methods.denoising.consensus_net import ConsensusNet
from course_lib.methods.denoising.noise2noise import Noise2Noise
from tests.cases import smoke_splits

HALVES = "chest_ct+lung_tumours/halves"


def splits():
    """Two halves of each scan."""
    return smoke_splits("denoising", HALVES)


def test_training_holds_noisy_halves_and_no_clean_scan():
    train = splits().train
    assert {"half_a", "half_b", "low_dose"} <= set(train.tensors)
    assert "normal_dose" not in train.tensors
    assert {"normal_dose"} <= set(splits().validation.tensors)


def test_noise_of_the_halves_is_independent_and_their_sum_less_noisy():
    test = splits().validation
    a, b, both, clean = (test[k] for k in ("half_a", "half_b", "low_dose", "normal_dose"))
    body = (clean > -300) & (clean < 300)
    first, second, whole = ((image - clean)[body] for image in (a, b, both))
    correlation = torch.corrcoef(torch.stack([first, second]))[0, 1]
    assert correlation.abs() < 0.2
    assert whole.std() < 0.85 * min(first.std(), second.std())
    same = torch.corrcoef(torch.stack([first, first + 0.1 * second]))[0, 1]
    assert same > 0.9  # the measure would have found it


def test_the_loss_is_the_error_of_the_mean_up_to_a_constant():
    """With noise that is independent of all else, for any two answers."""
    torch.manual_seed(0)
    patient, count = torch.randn(1, 1, 200, 200), 200
    method = ConsensusNet(anchor=0.0).fresh(splits().facts)

    def loss(first, second):
        method.forward = lambda batch: (first, second)
        found = []
        for _ in range(count // 20):
            halves = {k: patient + torch.randn_like(patient) for k in ("half_a", "half_b")}
            batch = {k: (v - 1) * 1000 for k, v in (halves | {"low_dose": patient}).items()}
            ((_, value),) = method.losses(batch)
            found.append(float(value))
        return sum(found) / len(found)

    answers = [(patient + 0.5, patient - 0.5), (patient + 0.5, patient + 0.5), (patient, patient)]
    errors = [float(((a + b) / 2 - patient).square().mean()) for a, b in answers]
    values = [loss(a, b) for a, b in answers]
    constants = [v - e for v, e in zip(values, errors, strict=True)]
    assert max(constants) - min(constants) < 0.02
    assert errors[0] < 1e-9 and values[1] - values[0] > 0.2


def test_there_are_two_networks_and_the_answer_is_their_mean():
    method = ConsensusNet().fresh(splits().facts)
    test = splits().test.subset([0])
    first, second = (list(n.parameters()) for n in method.networks)
    assert not {id(p) for p in first} & {id(p) for p in second}
    with torch.no_grad():
        answers = [1000 * (each - 1) for each in method(test.tensors)]
        mean = (answers[0] + answers[1]) / 2
        assert torch.allclose(method.predict(test.tensors), mean, atol=1e-2)


def test_the_consensus_term_is_subtracted():
    assert ConsensusNet().consensus == -1


def test_noise2noise_learns_each_half_from_the_other():
    method = Noise2Noise().fresh(splits().facts)
    batch = splits().train.batch(slice(0, 2))
    asked = []
    method.forward = lambda image: asked.append(image) or image
    ((_, loss),) = method.losses({k: batch[k] for k in ("half_a", "half_b")})
    wanted = ((batch["half_a"] - batch["half_b"]) / 1000).square().mean()
    assert len(asked) == 2 and torch.allclose(loss, wanted)
