"""What is worked out once is read afterwards, but never after its code has changed."""

import numpy as np
import pytest

from course_lib.data import derived


@pytest.fixture
def code(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "cache"))
    file = tmp_path / "maker.py"
    file.write_text("first")
    return file


def test_made_once_then_read(code):
    calls = []

    def make():
        calls.append(1)
        return {"values": np.arange(3), "name": np.array("a nodule")}

    for _ in range(2):
        found = derived.kept("nodules/test-3", make, [code])
        assert found["values"].tolist() == [0, 1, 2] and str(found["name"]) == "a nodule"
    assert len(calls) == 1


def test_other_code_makes_it_anew_and_removes_the_old(code, tmp_path):
    derived.kept("nodules/test-3", lambda: {"values": np.zeros(1)}, [code])
    derived.kept("nodules/test-33", lambda: {"values": np.ones(1)}, [code])
    code.write_text("second")
    found = derived.kept("nodules/test-3", lambda: {"values": np.full(1, 7.0)}, [code])
    assert found["values"].item() == 7
    left = sorted(file.name.rsplit("-", 1)[0] for file in tmp_path.glob("cache/derived/nodules/*"))
    assert left == ["test-3", "test-33"]


def test_a_failure_leaves_nothing(code, tmp_path):
    def fail():
        raise RuntimeError("no lung")

    with pytest.raises(RuntimeError):
        derived.kept("nodules/test-3", fail, [code])
    assert not list(tmp_path.glob("cache/derived/**/*.npz"))


def test_objects_are_neither_written_nor_kept(code, tmp_path):
    with pytest.raises(ValueError, match="allow_pickle"):
        derived.kept("nodules/test-3", lambda: {"values": np.array([{}], object)}, [code])
    assert not list(tmp_path.glob("cache/derived/**/*.npz"))
