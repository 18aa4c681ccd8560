"""What is worked out once is read afterwards, but never after its code has changed."""

import os
import time

import numpy as np
import pytest

from course_lib.data import derived

MAKER = "course_lib.maker"


@pytest.fixture
def code(tmp_path, monkeypatch):
    """`course_lib.maker` in a package of its own, and its registry; write to change them."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr("course_lib.code.PACKAGE", tmp_path)
    monkeypatch.setattr(derived, "resource", lambda folder: tmp_path)
    (tmp_path / "maker.py").write_text("from course_lib import used")
    (tmp_path / "used.py").write_text("first")
    (tmp_path / "registry.yaml").write_text("first")
    yield tmp_path


def test_made_once_then_read(code):
    calls = []

    def make():
        calls.append(1)
        return {"values": np.arange(3), "name": np.array("a nodule")}

    for _ in range(2):
        found = derived.kept("nodules/test-3", make, MAKER)
        assert found["values"].tolist() == [0, 1, 2] and str(found["name"]) == "a nodule"
    assert len(calls) == 1


@pytest.mark.parametrize("changed", ["used.py", "registry.yaml"])
@pytest.mark.parametrize("days", [1, 40])
def test_other_code_or_data_make_it_anew_and_remove_what_is_old(code, changed, days):
    derived.kept("nodules/test-3", lambda: {"values": np.zeros(1)}, MAKER)
    derived.kept("nodules/test-33", lambda: {"values": np.ones(1)}, MAKER)
    for file in code.glob("cache/derived/nodules/*.npz"):
        os.utime(file, (time.time() - 86400 * days,) * 2)
    (code / changed).write_text("second = 2")
    found = derived.kept("nodules/test-3", lambda: {"values": np.full(1, 7.0)}, MAKER)
    assert found["values"].item() == 7
    left = sorted(file.name.rsplit("-", 1)[0] for file in code.glob("cache/derived/nodules/*.npz"))
    assert left == ["test-3"] * (2 if days == 1 else 1) + ["test-33"]


def test_a_failure_leaves_nothing(code, tmp_path):
    def fail():
        raise RuntimeError("no lung")

    with pytest.raises(RuntimeError):
        derived.kept("nodules/test-3", fail, MAKER)
    assert not list(tmp_path.glob("cache/derived/**/*.npz"))


def test_objects_are_neither_written_nor_kept(code, tmp_path):
    with pytest.raises(ValueError, match="allow_pickle"):
        derived.kept("nodules/test-3", lambda: {"values": np.array([{}], object)}, MAKER)
    assert not list(tmp_path.glob("cache/derived/**/*.npz"))
