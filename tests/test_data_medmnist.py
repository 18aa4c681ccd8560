"""MedMNIST: official or said to be unverified, and what INFO announces."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from course_lib.data import download, medmnist
from course_lib.errors import CourseError

REAL = Path(__file__).parents[2] / "shared/data/medmnist/breastmnist.npz"
COUNTS = {"train": 4, "val": 2, "test": 3}


def arrays(shape=(28, 28), highest=1, columns=1) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    made = {}
    for split, count in COUNTS.items():
        made[f"{split}_images"] = generator.integers(0, 256, (count, *shape), dtype=np.uint8)
        labels = generator.integers(0, highest + 1, (count, columns), dtype=np.uint8)
        made[f"{split}_labels"] = labels
    return made


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """`save(name, arrays)` stores an npz and announces it in INFO as official."""

    def save(name="toymnist", content=None, **changes):
        file = tmp_path / f"{name}.npz"
        np.savez_compressed(file, **(arrays() if content is None else content))
        entry = {
            "url": file.as_uri(),
            "MD5": hashlib.md5(file.read_bytes()).hexdigest(),
            "task": "binary-class",
            "label": {"0": "well", "1": "ill"},
            "n_channels": 1,
            "n_samples": COUNTS,
            "license": "CC BY 4.0",
        } | changes
        monkeypatch.setattr(medmnist, "info", lambda: {name: entry})
        return file

    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(download, "PAUSE_S", 0)
    return save


def test_official_file(toy):
    loaded = medmnist.load("toymnist", path=toy())
    assert loaded.provenance == "official" and loaded.classes == ("well", "ill")
    assert loaded.images["train"].shape == (4, 28, 28) and loaded.labels["test"].shape == (3,)


def test_colour_volumes_and_many_labels(toy):
    file = toy(content=arrays((28, 28, 3)), n_channels=3)
    assert medmnist.load("toymnist", path=file).images["val"].shape == (2, 28, 28, 3)
    file = toy("toymnist3d", arrays((28, 28, 28)))
    assert medmnist.load("toymnist3d", path=file.parent).images["val"].shape == (2, 28, 28, 28)
    names = {str(k): f"disease {k}" for k in range(5)}
    file = toy(content=arrays(columns=5), task="multi-label, binary-class", label=names)
    assert medmnist.load("toymnist", path=file).labels["train"].shape == (4, 5)


def test_other_md5_needs_consent(toy):
    file = toy(MD5="0" * 32)
    with pytest.raises(CourseError) as caught:
        medmnist.load("toymnist", path=file)
    for needed in ("compressed anew", "--allow-unverified", "0" * 32):
        assert needed in str(caught.value)
    assert medmnist.load("toymnist", path=file, allow_unverified=True).provenance == "unverified"


@pytest.mark.parametrize(
    "change, complaint",
    [
        (lambda a: a.pop("val_labels"), "lacks val_labels"),
        (lambda a: a.update(test_images=a["test_images"].astype(np.float32)), "test_images is"),
        (lambda a: a.update(test_images=a["test_images"][:, :20]), "expected uint8"),
        (lambda a: a.update(train_images=a["train_images"][:2]), "train_images is"),
        (lambda a: a.update(train_labels=a["train_labels"] + 7), "whole numbers from 0 to 1"),
        (lambda a: a.update(val_labels=a["val_labels"] + 0.5), "whole numbers"),
        (lambda a: a.update(val_labels=np.array([object()] * 2)), "cannot be read"),
    ],
)
def test_unlike_what_info_announces(toy, change, complaint):
    content = arrays()
    change(content)
    with pytest.raises(CourseError, match=complaint):
        medmnist.load("toymnist", path=toy(content=content), allow_unverified=True)


def test_truncated_file(toy):
    file = toy()
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(CourseError, match="cannot be read"):
        medmnist.load("toymnist", path=file, allow_unverified=True)


def test_downloads_once_into_the_cache(toy, tmp_path):
    source = toy()
    loaded = medmnist.load("toymnist", progress=False)
    assert loaded.file == tmp_path / "cache/medmnist/toymnist.npz"
    source.unlink()
    assert medmnist.load("toymnist", progress=False).provenance == "official"


def test_no_network_names_address_checksum_and_folder(toy, tmp_path):
    toy(url="http://127.0.0.1:9/toymnist.npz", MD5="a" * 32)
    with pytest.raises(CourseError) as caught:
        medmnist.load("toymnist", progress=False)
    for needed in ("http://127.0.0.1:9/toymnist.npz", "a" * 32, str(tmp_path / "cache/medmnist")):
        assert needed in str(caught.value)


def test_wrong_download_leaves_nothing(toy, tmp_path):
    toy(MD5="b" * 32)
    with pytest.raises(CourseError, match="not the expected file"):
        medmnist.load("toymnist", progress=False)
    left = {file.suffix for file in (tmp_path / "cache/medmnist").iterdir()}
    assert left <= {".lock"}


def test_unknown_name_and_size():
    with pytest.raises(CourseError, match="Did you mean breastmnist"):
        medmnist.load("BreastMNST")
    with pytest.raises(CourseError, match=r"\[28, 64, 128, 224\]"):
        medmnist.load("breastmnist", size=32)


def test_info_is_the_official_one_and_light():
    code = (
        "import sys; from course_lib.data import medmnist; print(len(medmnist.info()));"
        "sys.exit('torch' in sys.modules or 'torchvision' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "18"


@pytest.mark.skipif(not REAL.is_file(), reason="the real file lies only beside some checkouts")
def test_real_file_that_was_compressed_anew():
    with pytest.raises(CourseError, match="--allow-unverified"):
        medmnist.load("breastmnist", path=REAL)
    loaded = medmnist.load("breastmnist", path=REAL, allow_unverified=True)
    assert loaded.provenance == "unverified"
    assert [len(loaded.images[split]) for split in medmnist.SPLITS] == [546, 78, 156]
    assert loaded.classes == ("malignant", "normal, benign")


def test_the_command_refuses_and_offers_the_flag(toy):
    from click.testing import CliRunner

    from course_lib.cli.data import data

    command = ["medmnist", "toymnist", "--file", str(toy(MD5="0" * 32))]
    refused = CliRunner().invoke(data, command)
    assert isinstance(refused.exception, CourseError)
    assert "--allow-unverified" in str(refused.exception)
    accepted = CliRunner().invoke(data, [*command, "--allow-unverified"])
    assert accepted.exit_code == 0 and "unverified file" in accepted.output
    assert "train  4 x 28 x 28" in accepted.output
