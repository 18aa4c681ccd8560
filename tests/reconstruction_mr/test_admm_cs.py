"""Compressed sensing by ADMM: its steps are exact, and what it minimises falls."""

import torch

from course_lib.methods.reconstruction_mr import admm_cs
from course_lib.physics import mr
from tests.reconstruction_mr.draws import complex_noise


def test_admm_gradient_has_its_adjoint_and_its_spectrum():
    x, e = complex_noise(2, 1, 8, 6), complex_noise(2, 2, 8, 6, seed=1)
    left = (admm_cs.gradient(x).conj() * e).sum()
    right = (x.conj() * admm_cs.adjoint_gradient(e)).sum()
    assert torch.allclose(left, right, atol=1e-3)
    twice = admm_cs.adjoint_gradient(admm_cs.gradient(x))
    assert torch.allclose(mr.fft2c(twice), admm_cs.spectrum((8, 6)) * mr.fft2c(x), atol=1e-4)


def test_admm_steps_are_exact_and_the_objective_falls(splits):
    batch = splits("reconstruction_mr").test.batch(slice(0, 1))
    method = admm_cs.ADMMCS()
    method.iterations = 400
    image, history = method.solve(batch["kspace"], batch["mask"])
    values = torch.stack(history)[:, 0]
    assert values[-1] < 0.9 * values[0] and values[50] > values[-1]
    for _ in range(5):  # nothing nearby is better
        other = image + 0.003 * complex_noise(*image.shape)
        assert method.objective(other, batch["kspace"], batch["mask"]) > values[-1]
    method.weight, method.iterations = 0.0, 3  # without a prior the data are met exactly
    image, _ = method.solve(batch["kspace"], batch["mask"])
    assert torch.allclose(batch["mask"] * mr.fft2c(image), batch["kspace"], atol=1e-4)
