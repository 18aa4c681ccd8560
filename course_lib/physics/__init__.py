"""What spoils images: scanners, sampling, noise, motion. In torch, batched, differentiable."""
