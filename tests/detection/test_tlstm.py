"""tLSTM: what makes it itself, and the LSTM without dates."""

import pytest
import torch

from course_lib import catalogue
from course_lib.errors import CourseError
from course_lib.methods.detection.tlstm import TLSTM, Cell


@pytest.mark.parametrize("time", ["gates", "cell", "none"])
def test_the_lag_enters_gates_or_state_or_nothing(time):
    torch.manual_seed(0)
    cell = Cell(4, 5, time)
    x, label, c = torch.randn(2, 4), torch.zeros(2, 2), torch.randn(2, 5)
    lag = torch.full((2, 1), 0.5, requires_grad=True)
    h, state = cell(x, label, lag, c)
    gates = (cell.image(x) + (cell.lag(lag) if time == "gates" else 0)).chunk(4, 1)
    put, forget, output = (torch.sigmoid(g) for g in gates[:3])
    wanted = forget * c + put * torch.tanh(gates[3])
    wanted = wanted + cell.lag(lag) if time == "cell" else wanted
    assert torch.allclose(state, wanted) and torch.allclose(h, output * torch.tanh(wanted))
    assert hasattr(cell, "lag") == (time != "none")
    if time == "cell":
        assert cell.lag.out_features == 5
    if time == "gates":
        assert cell.lag.out_features == 20


def test_a_visits_own_label_and_later_visits_never_reach_its_answer(series):
    batch = {key: value[:2].clone() for key, value in series.train.tensors.items()}
    torch.manual_seed(0)
    method = TLSTM().fresh(series.facts).eval()
    with torch.no_grad():
        before = method(batch)
        for visit in range(1, 3):
            other = batch | {"growth": batch["growth"].clone(), "series": batch["series"].clone()}
            other["growth"][:, visit] = 1 - other["growth"][:, visit].clamp_min(0)
            other["series"][:, visit + 1 :] += 300
            after = method(other)
            assert torch.allclose(before[:, : visit + 1], after[:, : visit + 1])
            assert not torch.allclose(before[:, visit + 1], after[:, visit + 1])


def test_controls_without_dates_or_memory_and_with_shuffled_lags(series):
    batch = series.train.batch(slice(0, 3))
    later = batch | {"days": 3 * batch["days"]}
    with torch.no_grad():
        for options, moved in (({}, True), ({"time": "cell"}, True), ({"time": "none"}, False)):
            torch.manual_seed(0)
            method = TLSTM(**options).fresh(series.facts).eval()
            assert torch.allclose(method(batch), method(later)) != moved
        torch.manual_seed(0)
        alone = TLSTM(memory=False, time="none").fresh(series.facts).eval()
        first = alone(batch)
        assert torch.allclose(first, alone(batch | {"growth": -torch.ones_like(batch["growth"])}))
        torch.manual_seed(0)
        shuffled = TLSTM(shuffle_lags=True).fresh(series.facts).eval()
        torch.manual_seed(0)
        plain = TLSTM().fresh(series.facts).eval()
        rolled = batch | {"days": batch["days"].roll(1, 0)}
        assert torch.allclose(shuffled(batch), plain(rolled))


def test_the_lstm_is_the_tlstm_without_dates(series):
    batch = series.train.batch(slice(0, 3))
    answers = []
    for method in (catalogue.build("lstm"), TLSTM(time="none")):
        torch.manual_seed(0)
        answers.append(method.fresh(series.facts).eval()(batch))
    assert torch.equal(*answers)


def test_an_unknown_place_of_the_lag_is_refused():
    with pytest.raises(CourseError, match=r"gates.*none.*'gate'"):
        TLSTM(time="gate")
