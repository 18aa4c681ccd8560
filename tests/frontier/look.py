"""Small networks and pictures for the frontier's tests."""

import torch

from course_lib import device
from course_lib.cases import Facts
from course_lib.parts.frontier.reader import small_resnet
from course_lib.tasks.frontier.presence import WINDOW

FACTS = Facts(dims=2, channels=1, window=WINDOW)


def small_network(seed=0):
    """A small ResNet whose normalisation has seen some images, so that it is not degenerate."""
    with device.seeded(seed):
        made = small_resnet()
    with torch.no_grad():
        made.train()(torch.randn(8, 1, 64, 64, generator=torch.Generator().manual_seed(1)))
    return made.eval()


def images(count=2, seed=0):
    """Noise as networks see it, −1 to 1."""
    return torch.randn(count, 1, 64, 64, generator=torch.Generator().manual_seed(seed)).clamp(-1, 1)
