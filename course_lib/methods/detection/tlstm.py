"""tLSTM: a recurrent network that is told how much time has passed between two visits.

New in the paper: patients come when they come. An LSTM counts visits; this cell gets the lag δ
since the visit before, and the labels that earlier reports gave. With x a CNN's features of the
image and m the *previous* visit's label:

    gates (v1):       i, f, o, g = act(Wx x + Wm m + Wt δ + b),   c ← f·c + i·g
    cell state (v2):  i, f, o, g = act(Wx x + Wm m + b),          c ← f·c + i·g + Wt δ
    h = o·tanh(c),    p(fast growth) = two dense layers of [h, x]

As in the public code, only the cell state is carried on, and the previous label takes the place of
the hidden state in the gates. `time` chooses: "gates", "cell", or "none", a cell without dates;
`memory=False` is a CNN on each visit alone. `shuffle_lags` gives the lags of another series, the
control that must lose the gain. Labels of the visit itself are never an input.

Series (N, T, 1, 32, 32) HU, days (N, T), labels reported before (N, T) 1, 0 or -1 unknown → the
probability of fast growth before each visit, (N, T). Here the answer lies in the *change* of size,
and v1 has no product of features and state that could take it: the features of the visit before
join x. Shrunk: a CNN of four layers instead of a deep one, one label instead of the report's.

480 series are few: without a remedy, tLSTM and `lstm` know them by heart. Dropout 0.3, decay 0.01,
series mirrored at random: the best of 8 settings (dropout, mirroring, width, mean over the image,
log δ) by the mean AUC of the two networks on 384 validation series, the same steps for both.

Santeramo, Withey & Montana 2018, DLMIA, doi 10.48550/arXiv.1807.06144.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Facts
from course_lib.errors import CourseError
from course_lib.methods.base import Method
from course_lib.parts.detection.pyramid import block, normalised

YEAR, WEIGHT_DECAY = 365.0, 0.01
TIMES = ("gates", "cell", "none")


class Cell(nn.Module):
    """One visit: features (N, F), previous label (N, 2), lag (N, 1) in years, state c (N, H)."""

    def __init__(self, features: int, hidden: int, time: str) -> None:
        super().__init__()
        self.time = time
        self.image = nn.Linear(features, 4 * hidden)
        self.label = nn.Linear(2, 4 * hidden, bias=False)
        if time != "none":
            self.lag = nn.Linear(1, (4 if time == "gates" else 1) * hidden, bias=False)

    def forward(self, x: Tensor, label: Tensor, lag: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """(hidden, next state), (N, H) each."""
        gates = self.image(x) + self.label(label)
        if self.time == "gates":
            gates = gates + self.lag(lag)
        put, forget, output, new = gates.chunk(4, 1)
        c = torch.sigmoid(forget) * c + torch.sigmoid(put) * torch.tanh(new)
        if self.time == "cell":
            c = c + self.lag(lag)
        return torch.sigmoid(output) * torch.tanh(c), c


class TLSTM(Method):
    """`time`: gates, cell or none; `memory`: False forgets all but the visit itself;
    `shuffle_lags`: another series' dates; `dropout`: of the CNN's last map and before the last
    layer."""

    learning_rate = 2e-3

    def __init__(
        self,
        time: str = "gates",
        memory: bool = True,
        shuffle_lags: bool = False,
        features: int = 16,
        hidden: int = 32,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        if time not in TIMES:
            raise CourseError(f"`time` is one of {', '.join(TIMES)}, not {time!r}.")
        self.time, self.memory, self.shuffle_lags = time, memory, shuffle_lags
        self.features, self.hidden, self.dropout = features, hidden, dropout

    def build(self, facts: Facts) -> None:
        """The CNN of a visit, the cell, and the dense layers behind it."""
        self.network = nn.Sequential(
            block(facts.channels, 16, 2),
            block(16, 32, 2),
            block(32, 32),
            nn.Flatten(),
            nn.Dropout(self.dropout),
            nn.Linear(32 * 64, self.features),
        )
        inputs = 2 * self.features if self.memory else self.features
        self.cell = Cell(inputs, self.hidden, self.time)
        self.head = nn.Sequential(
            nn.Linear(self.hidden + inputs, 32),
            nn.ReLU(inplace=True),
            nn.Dropout(self.dropout),
            nn.Linear(32, 1),
        )

    def forward(self, batch: Batch) -> Tensor:
        """Logits of fast growth before each visit, (N, T)."""
        series, reported = batch["series"], batch["reported"]
        count, visits = series.shape[:2]
        images = normalised(series.flatten(0, 1), self.facts.window)
        x = self.network(images).view(count, visits, -1)
        days = batch["days"]
        if self.shuffle_lags:
            days = days.roll(1, 0)
        lag = F.pad(days.diff(dim=1), (1, 0)).clamp_min(0) / YEAR
        c, logits = x.new_zeros(count, self.hidden), []
        for visit in range(visits):
            here = x[:, visit]
            label = torch.zeros(count, 2, device=x.device)
            if self.memory:
                here = torch.cat([here, x[:, max(0, visit - 1)]], 1)
                before = reported[:, visit]
                label = torch.stack([before == 1, before == 0], 1).to(x)
            h, c = self.cell(here, label, lag[:, visit : visit + 1], c)
            if not self.memory:
                c = torch.zeros_like(c)
            logits.append(self.head(torch.cat([h, here], 1))[:, 0])
        return torch.stack(logits, 1)

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Binary cross-entropy of every visit whose label is known; series mirrored at random."""
        known = batch["growth"] >= 0
        batch = batch | {"series": _mirrored(batch["series"])}
        yield (
            "network",
            F.binary_cross_entropy_with_logits(self(batch)[known], batch["growth"][known]),
        )

    def optimiser(self, player: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam with decay of the weights."""
        return torch.optim.AdamW(parameters, lr=self.learning_rate, weight_decay=WEIGHT_DECAY)

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """The probability of fast growth before each visit."""
        return {"fast": self(batch).sigmoid()}


def _mirrored(series: Tensor) -> Tensor:
    """Half of the series upside down, half left to right; all visits of one alike."""
    for axis in (-1, -2):
        chosen = (torch.rand(len(series)) < 0.5).to(series.device)
        series = torch.where(chosen[:, None, None, None, None], series.flip(axis), series)
    return series
