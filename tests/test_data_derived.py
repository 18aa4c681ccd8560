"""What is worked out once is read afterwards, but never after its code has changed."""

import io
import logging
import os
import time

import numpy as np
import pytest
from click.testing import CliRunner

from course_lib.cli.data import data
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


def other_numbers():
    """A file that can be read, and holds what nobody has worked out."""
    held = io.BytesIO()
    np.savez_compressed(held, values=np.zeros(1000), sha256=np.array("0" * 64))
    return held.getvalue()


def flipped(whole):
    """The same bytes, but for a bit in their midst."""
    middle = len(whole) // 2
    return whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]


@pytest.mark.parametrize(
    "harm",
    [
        lambda b: b"",
        lambda b: b[: len(b) // 2],
        flipped,
        lambda b: b"junk" * 99,
        lambda b: other_numbers(),
    ],
    ids=["empty", "cut short", "a bit flipped", "junk", "other numbers"],
)
def test_a_damaged_file_is_found_by_doctor_and_made_anew(code, harm, caplog):
    right = np.random.default_rng(0).random(1000)

    def kept():
        return derived.kept("nodules/test-3", lambda: {"values": right}, MAKER)["values"]

    assert np.array_equal(kept(), right)
    assert derived.doctor()[0].state == "ok"
    (file,) = code.glob("cache/derived/nodules/*.npz")
    file.write_bytes(harm(file.read_bytes()))
    told = CliRunner().invoke(data, ["doctor"])
    assert told.exit_code == 1 and file.name in told.output and "made anew" in told.output
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(kept(), right) and file.name in caplog.text
    assert derived.doctor()[0].state == "ok"
    assert np.array_equal(derived.kept("nodules/test-3", dict, MAKER)["values"], right)


def test_files_of_earlier_versions_are_neither_used_nor_called_damaged(code):
    derived.kept("nodules/test-3", lambda: {"values": np.ones(3)}, MAKER)
    (file,) = code.glob("cache/derived/nodules/*.npz")
    np.savez_compressed(file, values=np.zeros(3))
    assert derived.doctor()[0].state == "ok"
    assert derived.kept("nodules/test-3", lambda: {"values": np.ones(3)}, MAKER)["values"].all()


@pytest.mark.parametrize("suffix", [".npz", ".lock"])
def test_a_folder_in_the_place_of_a_file_gives_way(code, suffix):
    make = {"a": np.arange(3)}.copy
    derived.kept("x/y", make, MAKER)
    (file,) = (code / "cache" / "derived" / "x").glob("y-*.npz")
    place = file if suffix == ".npz" else file.with_name("y.lock")
    file.unlink()
    place.unlink(missing_ok=True)
    (place / "within").mkdir(parents=True)
    for _ in range(2):
        assert derived.kept("x/y", make, MAKER)["a"].tolist() == [0, 1, 2]
    assert file.is_file()
