"""ConvLSTM: an LSTM whose state is an image, and whose products are convolutions.

    i, f, o = σ(W ∗ [x, h] + b),   g = tanh(W ∗ [x, h] + b),   c ← f·c + i·g,   h ← o·tanh(c)

Shi et al. 2015, NeurIPS, arXiv:1506.04214 (here without peepholes). Absent from torch and MONAI.
"""

import torch
from torch import Tensor, nn


class ConvLSTM(nn.Module):
    """Sweeps over a sequence of images.

    Arguments:
        inputs, hidden: channels of an image, and of the state. kernel: odd side of the filters.
    """

    def __init__(self, inputs: int, hidden: int, kernel: int = 3) -> None:
        super().__init__()
        self.hidden = hidden
        # W ∗ [x, h] = Wx ∗ x + Wh ∗ h, and the first part can be done for all images at once.
        self.of_input = nn.Conv2d(inputs, 4 * hidden, kernel, padding=kernel // 2)
        self.of_state = nn.Conv2d(hidden, 4 * hidden, kernel, padding=kernel // 2, bias=False)
        with torch.no_grad():  # Remember at first: the usual start of the forget gate.
            self.of_input.bias[hidden : 2 * hidden] = 1.0

    def forward(self, sequence: Tensor, reverse: bool = False) -> Tensor:
        """(N, C, D, H, W) → states (N, hidden, D, H, W), from slice 0 on or from the last one."""
        count, _, depth, height, width = sequence.shape
        pushed = self.of_input(sequence.movedim(2, 1).flatten(0, 1)).unflatten(0, (count, depth))
        state = memory = sequence.new_zeros(count, self.hidden, height, width)
        states: list[Tensor] = [state] * depth
        for z in reversed(range(depth)) if reverse else range(depth):
            gates = pushed[:, z] + self.of_state(state)
            enter, forget, leave, new = gates.chunk(4, dim=1)
            memory = forget.sigmoid() * memory + enter.sigmoid() * new.tanh()
            state = leave.sigmoid() * memory.tanh()
            states[z] = state
        return torch.stack(states, dim=2)


class BiConvLSTM(nn.Module):
    """Two ConvLSTMs, one in each direction along z, concatenated: (N, C, D, H, W) →
    (N, 2·hidden, D, H, W)."""

    def __init__(self, inputs: int, hidden: int, kernel: int = 3) -> None:
        super().__init__()
        self.forwards = ConvLSTM(inputs, hidden, kernel)
        self.backwards = ConvLSTM(inputs, hidden, kernel)

    def forward(self, sequence: Tensor) -> Tensor:
        """Each slice with what lies below and above it."""
        return torch.cat([self.forwards(sequence), self.backwards(sequence, reverse=True)], dim=1)
