"""A recurrent network without dates: what the tLSTM is without its lag.

The same CNN, cell and head, c ← f·c + i·g, with no term in δ: it counts visits and knows no
calendar. Budget, dropout, decay and mirrored series are those of `tlstm`, chosen for both together.
Where lags differ, it can learn little more than that growth tends to stay as it was.
Series (N, T, 1, 32, 32) HU → the probability of fast growth before each visit, (N, T).
Hochreiter & Schmidhuber 1997, Neural Computation 9(8), doi 10.1162/neco.1997.9.8.1735.
"""

from course_lib.methods.detection.tlstm import TLSTM


class LSTM(TLSTM):
    """The control: `time` is none."""

    def __init__(self) -> None:
        super().__init__(time="none")
