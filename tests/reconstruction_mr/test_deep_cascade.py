"""Deep cascade: what makes it itself."""

import torch
from torch import nn

from course_lib import device
from course_lib.cases import Facts
from course_lib.methods.reconstruction_mr import deep_cascade
from course_lib.methods.reconstruction_mr.deep_cascade import DeepCascade
from course_lib.physics import mr
from tests.look import layers
from tests.reconstruction_mr.draws import complex_noise


def test_cascade_puts_samples_back_exactly_when_noiseless(splits):
    batch = splits("reconstruction_mr").test.batch(slice(0, 2))
    with device.seeded(0):
        noiseless, noisy, free = (
            DeepCascade(**options).fresh(Facts())
            for options in ({"noiseless": True}, {}, {"consistent": False})
        )
    free.blocks = noiseless.blocks = noisy.blocks
    with torch.no_grad():
        residual = [
            float((batch["mask"] * mr.fft2c(m.predict(batch)) - batch["kspace"]).abs().max())
            for m in (noiseless, noisy, free)
        ]
    assert residual[0] < 1e-4 < residual[1] < residual[2]
    assert noiseless.trust is None and noisy.trust.requires_grad


def test_cascade_blocks_are_residual_and_their_own():
    method = DeepCascade(cascades=3, depth=5, width=8).fresh(Facts())
    assert len(method.blocks) == 3
    assert all(len(layers(block, nn.Conv2d)) == 5 for block in method.blocks)
    weights = [id(p) for p in method.parameters()]
    assert len(weights) == len(set(weights)) == 3 * 10 + 1
    block = method.blocks[0]
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    picture = complex_noise(2, 1, 8, 8)
    assert torch.equal(block(picture, []), picture)


def test_dynamic_cascade_shares_lines_of_neighbouring_frames():
    mask = torch.zeros(1, 4, 8, 8)
    for frame in range(4):
        mask[:, frame, :, frame::4] = 1
    still = complex_noise(1, 1, 8, 8).expand(1, 4, 8, 8)  # nothing moves
    kspace = mask * mr.fft2c(still)
    shared = deep_cascade.data_sharing(kspace, mask, 2)
    assert torch.allclose(shared, mr.fft2c(still), atol=1e-5), "two neighbours fill every line"
    near = deep_cascade.data_sharing(kspace, mask, 1)
    assert torch.allclose(near[mask > 0], kspace[mask > 0])
    assert (near[:, 0, :, 2] == 0).all() and near[:, 0, :, 1].abs().min() > 0
    method = DeepCascade(cascades=2, depth=3, width=4, dynamic=True, noiseless=True).fresh(Facts())
    assert len(layers(method, nn.Conv3d)) == 6 and not layers(method, nn.Conv2d)
    assert method.blocks[0].layers[0].in_channels == 2 * (1 + len(method.windows))
    output = method(kspace, mask)
    assert output.shape == kspace.shape
    assert torch.allclose(mask * mr.fft2c(output), kspace, atol=1e-4)
