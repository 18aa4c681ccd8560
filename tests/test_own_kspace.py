"""Measured k-space of the user's own: coils combine to the picture they saw, and are not faked."""

import numpy as np
import pytest
import torch

from course_lib import catalogue
from course_lib.data import own
from course_lib.data.own.kspace import KSpace
from course_lib.errors import CourseError
from course_lib.physics import mr
from course_lib.tasks.base import PARTS
from course_lib.tasks.reconstruction_mr import measured
from course_lib.tasks.reconstruction_mr.own import sample


def head(rows=64, columns=64, seed=0):
    """A smooth complex picture with an edge, bright in the middle."""
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    inside = (x / 0.7) ** 2 + (y / 0.8) ** 2 < 1
    magnitude = inside * (1 + 0.5 * np.cos(4 * x + seed) * np.cos(3 * y))
    return magnitude * np.exp(1j * (0.8 * x - 0.5 * y * y))


def sensitivities(rows=64, columns=64, count=8, twist=0.0):
    """Coils on a ring, squares summing to one; `twist` winds the phase of each across the field."""
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    angles = 2 * np.pi * np.arange(count) / count
    maps = []
    for angle in angles:
        near = np.exp(-((x - 1.2 * np.cos(angle)) ** 2 + (y - 1.2 * np.sin(angle)) ** 2))
        maps.append(near * np.exp(1j * (angle + twist * (x * np.cos(angle) + y * np.sin(angle)))))
    maps = np.stack(maps)
    return maps / np.sqrt((abs(maps) ** 2).sum(0))


def kspace(coils):
    return mr.fft2c(torch.from_numpy(coils.astype(np.complex64))).numpy()


def coil_files(place, names="abcd", rows=64, columns=64, slices=None, noise=0.0):
    draw = np.random.default_rng(0)
    for seed, name in enumerate(names):
        file = place / f"{name}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        seen = sensitivities(rows, columns) * head(rows, columns, seed)
        seen = seen + noise * (draw.normal(size=seen.shape) + 1j * draw.normal(size=seen.shape))
        found = kspace(seen)
        np.save(file, found if slices is None else np.stack([found] * slices))


# ---- physics


@pytest.mark.parametrize("twist", [0.0, 0.5])
def test_eight_coils_combine_to_the_magnitude_they_saw(twist):
    picture = head()
    seen = torch.from_numpy(sensitivities(twist=twist) * picture)[None]
    found = measured.combined(seen)[0, 0].numpy()
    assert abs(found) == pytest.approx(abs(picture), abs=1e-6)


def test_coils_of_constant_phase_give_back_the_phase_up_to_one_angle():
    picture = head()
    seen = torch.from_numpy(sensitivities() * picture)[None]
    found = measured.combined(seen)[0, 0].numpy()
    turned = found * np.exp(-1j * np.angle((found * picture.conj()).sum()))
    assert turned == pytest.approx(picture, abs=1e-5)


def test_one_coil_keeps_its_picture_up_to_one_angle():
    picture = head()
    found = measured.combined(torch.from_numpy(picture)[None, None])[0, 0].numpy()
    ratio = found[abs(picture) > 0.1] / picture[abs(picture) > 0.1]
    assert ratio == pytest.approx(np.full_like(ratio, ratio[0]), abs=1e-6)
    assert abs(ratio[0]) == pytest.approx(1)


@pytest.mark.parametrize("have", [5, 6, 9, 12])
@pytest.mark.parametrize("want", [5, 6, 9, 12])
def test_the_middle_stays_in_the_middle(have, want):
    line = torch.zeros(have, have)
    line[have // 2, have // 2] = 1
    found = measured.cropped(line, want, want)
    assert found.shape == (want, want) and found[want // 2, want // 2] == 1 == found.sum()


def test_the_picture_is_cropped_where_the_readout_is_oversampled(tmp_path):
    """A field of twice the length, read with twice the samples, holds the same picture inside."""
    picture = head()
    seen = np.pad(sensitivities() * picture, ((0, 0), (32, 32), (0, 0)))
    np.save(tmp_path / "a.npy", kspace(seen))
    data = own.read(f"path:{tmp_path}")
    (acquired,) = data.acquisitions
    assert acquired.shape == (1, 8, 128, 64) and acquired.kept == (64, 64)
    found = measured.picture(acquired, 0, 64)[0, 0].abs().numpy()
    scale = np.quantile(abs(picture), 0.995)
    assert found * scale == pytest.approx(abs(picture), abs=0.02)
    assert "oversampled" in " ".join(data.notes)


def test_fewer_pixels_are_the_middle_of_kspace(tmp_path):
    """A constant-phase picture without high frequencies is the same with half the pixels."""
    y, x = np.mgrid[:64, :64] * 2 * np.pi / 64
    smooth = 2 + np.cos(x) + np.cos(2 * y)
    noise = np.random.default_rng(0).normal(0, 1e-6, (1, 64, 64))  # else most samples are zeros
    np.save(tmp_path / "a.npy", kspace(smooth[None].astype(complex)) + noise)
    (acquired,) = own.read(f"path:{tmp_path}").acquisitions
    found = measured.picture(acquired, 0, 32)[0, 0].abs().numpy()
    assert found / found.max() == pytest.approx(smooth[::2, ::2] / smooth[::2, ::2].max(), abs=1e-5)


# ---- the question


def test_the_question_undersamples_what_was_measured_and_adds_no_noise(tmp_path):
    coil_files(tmp_path, "abcde", slices=3)
    dataset = f"path:{tmp_path}"
    question = catalogue.question("reconstruction_mr", dataset)
    splits = question.make(dataset, "smoke", 0)
    subjects = [set(getattr(splits, part).subject) for part in PARTS]
    assert len(set.union(*subjects)) == 5 == sum(map(len, subjects))
    test = splits.test
    assert test["target"].shape[1:] == (1, 64, 64)
    assert torch.equal(test["kspace"], mr.forward(test["target"], test["mask"]))
    assert 0.2 < test["mask"].mean() < 0.3
    assert test.provenance["target"] == "measured k-space, coils combined"
    assert "simulated" not in " ".join(test.provenance.values())
    truth = abs(head(seed="abcde".index(test.subject[0])))
    truth = truth / np.quantile(truth, 0.995)
    assert test["target"][0, 0].abs().numpy() == pytest.approx(truth, abs=0.01)
    batch = sample(splits.train, "smoke", 3, torch.Generator().manual_seed(0))
    assert torch.equal(batch["kspace"], mr.forward(batch["target"], batch["mask"]))
    assert set(batch) <= set(question.fields)
    score = question.score(test["target"], test.tensors, test.facts)
    assert float(score["data_residual"].max()) < 0.01
    told = " ".join(splits.notes)
    assert "Used: all 3 files to train" in told and "1 mm is taken" in told


def test_pictures_are_never_larger_than_they_were_measured(tmp_path):
    coil_files(tmp_path, rows=48, columns=40)
    splits = catalogue.question("reconstruction_mr", f"path:{tmp_path}").make(
        f"path:{tmp_path}", "smoke", 0
    )
    assert splits.test["target"].shape[2:] == (48, 48)
    assert torch.allclose(splits.test.spacing_mm, torch.tensor(1.0))


def test_other_sections_say_that_they_need_something_else(tmp_path):
    coil_files(tmp_path)
    with pytest.raises(CourseError, match=r"measured k-space.*needs volumes"):
        catalogue.question("super_resolution", f"path:{tmp_path}").make(
            f"path:{tmp_path}", "smoke", 0
        )


# ---- reading


def test_axes_and_folders_of_arrays(tmp_path):
    coil_files(tmp_path / "train", "abc")
    coil_files(tmp_path / "val", "d")
    coil_files(tmp_path / "test", "e", slices=3)
    np.save(tmp_path / "train" / "f.npy", kspace(head()))
    data = own.read(f"path:{tmp_path}")
    assert isinstance(data, KSpace)
    shapes = {a.subject: a.shape[:2] for a in data.acquisitions}
    assert shapes == {"a": (1, 8), "b": (1, 8), "c": (1, 8), "d": (1, 8), "e": (3, 8), "f": (1, 1)}
    assert sorted(data.given.values()).count("train") == 4
    assert data.acquisitions[0].coils(0).dtype == np.complex64


def test_frequency_zero_at_the_corner_is_moved_to_the_middle(tmp_path):
    coil_files(tmp_path, "a")
    there = np.load(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", np.fft.ifftshift(there, (1, 2)))
    first, second = own.read(f"path:{tmp_path}").acquisitions
    assert second.cornered and not first.cornered
    assert np.array_equal(first.coils(0), second.coils(0))


def test_what_is_no_full_kspace_is_named_at_once_and_left_out_on_request(tmp_path):
    coil_files(tmp_path, "abcg")
    full = np.load(tmp_path / "a.npy")
    gaps = full.copy()
    gaps[:, :, 1::4] = 0
    np.save(tmp_path / "b.npy", gaps)
    np.save(tmp_path / "c.npy", np.full_like(full, np.nan))
    np.save(tmp_path / "d.npy", full[None, None])
    np.save(tmp_path / "e.npy", np.zeros_like(full))
    np.save(tmp_path / "f.npy", np.roll(full, 16, 2))
    partial = full.copy()
    partial[:, :, :9] = 0  # partial Fourier: a margin, no gap
    np.save(tmp_path / "g.npy", partial)
    with pytest.raises(CourseError) as refused:
        own.read(f"path:{tmp_path}")
    for word in ("5 of 7", "b.npy: 25%", "NaN", "shape", "nothing but zeros", "f.npy: most energy"):
        assert word in str(refused.value)
    data = own.read(f"path:{tmp_path}?skip=yes")
    assert [a.case for a in data.acquisitions] == ["a", "g"] and len(data.left_out) == 5


@pytest.mark.parametrize("how", ["half", "empty", "text"])
def test_files_that_are_broken_or_something_else_are_not_passed_over(tmp_path, how):
    coil_files(tmp_path, "abc")
    whole = (tmp_path / "b.npy").read_bytes()
    broken = {"half": whole[: len(whole) // 2], "empty": b"", "text": b"version 1 of git-lfs"}[how]
    (tmp_path / "b.npy").write_bytes(broken)
    (tmp_path / "d.h5").write_bytes(broken)
    np.save(tmp_path / "mask.npy", np.ones((32, 32)))
    with pytest.raises(
        CourseError, match=r"2 of 4 cases.*b\.npy: cannot be read.*d\.h5: is no HDF5"
    ):
        own.read(f"path:{tmp_path}")
    data = own.read(f"path:{tmp_path}?skip=yes")
    assert [a.case for a in data.acquisitions] == ["a", "c"]
    assert [one.name for one in data.left_out] == ["b.npy", "d.h5", "mask.npy"]


def test_arrays_of_real_numbers_are_no_kspace(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((8, 64, 64)))
    with pytest.raises(CourseError, match="nothing that can be read"):
        own.read(f"path:{tmp_path}")


# ---- fastMRI's files


HEADER = (
    "<ismrmrdHeader><encoding><encodedSpace><fieldOfView_mm><x>560</x><y>280</y></fieldOfView_mm>"
    "</encodedSpace><reconSpace><matrixSize><x>64</x><y>64</y></matrixSize><fieldOfView_mm>"
    "<x>256</x><y>256</y><z>4</z></fieldOfView_mm></reconSpace></encoding></ismrmrdHeader>"
)


def test_files_as_of_fastmri_are_read_with_their_field_and_patient(tmp_path):
    h5py = pytest.importorskip("h5py")
    people = {"multicoil_train": "pqr", "multicoil_val": "s", "multicoil_test": "t"}
    for folder, names in people.items():
        (tmp_path / folder).mkdir()
        for name in names:
            seen = np.pad(sensitivities() * head(), ((0, 0), (32, 32), (4, 4)))
            with h5py.File(tmp_path / folder / f"file_{name}.h5", "w") as opened:
                opened["kspace"] = np.stack([kspace(seen)] * 5)
                opened["reconstruction_rss"] = np.zeros((5, 64, 64), np.float32)
                opened["ismrmrd_header"] = HEADER
                opened.attrs["patient_id"] = f"id-{name}"
    data = own.read(f"path:{tmp_path}")
    assert [a.shape for a in data.acquisitions] == [(5, 8, 128, 72)] * 5
    assert {a.kept for a in data.acquisitions} == {(64, 64)}
    assert {a.pixel_mm for a in data.acquisitions} == {(4.0, 4.0)}
    assert {a.subject for a in data.acquisitions} == {f"id-{n}" for n in "pqrst"}
    assert sorted(data.given.values()) == ["test", "train", "train", "train", "validation"]
    found = measured.picture(data.acquisitions[0], 2, 64)[0, 0].abs().numpy()
    truth = abs(head()) / np.quantile(abs(head()), 0.995)
    assert found == pytest.approx(truth, abs=0.02)
    with h5py.File(tmp_path / "raw.h5", "w") as opened:
        opened["dataset"] = 1
    with pytest.raises(CourseError, match=r"raw\.h5.*'kspace', but dataset"):
        own.read(f"path:{tmp_path}")


def test_hdf5_without_h5py_says_what_to_install(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(CourseError, match="pip install h5py"):
        own.read(f"path:{tmp_path}")
