"""Public data sets by name, fetched from a small mirror: whole or nothing, read as one's own."""

import hashlib
import io
import json
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from course_lib import catalogue
from course_lib.benchmark.job import Job
from course_lib.benchmark.store import Store
from course_lib.cli import course
from course_lib.data import download, medmnist, own, public
from course_lib.errors import CourseError
from tests.test_data_own import write_nifti

TASK = "Task04_Hippocampus"


def decathlon(folder):
    """Six volumes with two structures, as a Decathlon task lies in its archive."""
    draw = np.random.default_rng(0)
    about = {"name": "toy", "labels": {"0": "background", "1": "front", "2": "back"}}
    about |= {"modality": {"0": "MRI"}, "numTraining": 6, "numTest": 0, "test": []}
    pairs = []
    for k in range(6):
        label = np.zeros((10, 16, 18), np.uint8)
        label[2:8, 3:8, 3:12], label[2:8, 8:13, 3:12] = 1, 2
        image = 100.0 * label + draw.normal(0, 5, label.shape)
        for place, values in (("imagesTr", image.astype(np.float32)), ("labelsTr", label)):
            write_nifti(folder / TASK / place / f"hippocampus_{k:03}.nii.gz", values)
        name = f"hippocampus_{k:03}.nii.gz"
        pairs.append({"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"})
    about["training"] = pairs
    (folder / TASK / "dataset.json").write_text(json.dumps(about))
    (folder / TASK / "imagesTr" / "._hippocampus_000.nii.gz").write_bytes(b"a Mac's own")


def labelled(count=12):
    draw = np.random.default_rng(1)
    return {
        f"{split}_{part}": values
        for split in ("train", "val", "test")
        for part, values in (
            ("images", draw.integers(0, 256, (count, 28, 28), dtype=np.uint8)),
            ("labels", (np.arange(count) % 2).astype(np.uint8)[:, None]),
        )
    }


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A server of one Decathlon task and one MedMNIST set; its fields make it misbehave."""
    decathlon(tmp_path / "made")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(tmp_path / "made" / TASK, TASK)
    stored = io.BytesIO()
    np.savez_compressed(stored, **labelled())
    files = {f"/{TASK}.tar": packed.getvalue(), "/breastmnist.npz": stored.getvalue()}
    state = SimpleNamespace(files=files, cut=None, asked=[], cache=tmp_path / "cache")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers.get("Range")
            state.asked.append((self.path, wanted))
            begin = int(wanted[6:-1]) if wanted else 0
            body = files[self.path][begin:]
            self.send_response(206 if begin else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: state.cut])

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    offer(state, monkeypatch, base)
    entry = dict(medmnist.info()["breastmnist"])
    entry |= {"url": f"{base}/breastmnist.npz", "n_samples": dict.fromkeys(medmnist.SPLITS, 12)}
    entry["MD5"] = hashlib.md5(files["/breastmnist.npz"]).hexdigest()
    monkeypatch.setattr(medmnist, "info", lambda: {"breastmnist": entry})
    monkeypatch.setenv("COURSE_DATA", str(state.cache))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(download, "PAUSE_S", 0)
    monkeypatch.setattr(download, "PIECE", 1000)
    state.base = base
    yield state
    server.shutdown()
    server.server_close()


def offer(state, monkeypatch, *bases):
    """Announces the archive as it now is, at these addresses."""
    md5 = hashlib.md5(state.files[f"/{TASK}.tar"]).hexdigest()
    table = {"licence": "CC BY-SA 4.0", "addresses": [f"{base}/{{archive}}" for base in bases]}
    monkeypatch.setattr(public, "_decathlon", lambda: table | {"tasks": {TASK: md5}})


def test_a_decathlon_task_is_fetched_run_and_recorded_by_its_name(mirror, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["run", "segmentation", "intensity_windows", "--profile", "smoke", "--unit", "a.u."]
    done = CliRunner().invoke(course, [*words, "--dataset", "msd/hippocampus"])
    assert done.exit_code == 0, done.output
    assert "CC BY-SA 4.0" in done.output, "the licence is shown"
    (record,) = Store(tmp_path / "runs").records()
    assert record["job"]["dataset"] == f"msd/{TASK}?unit=a.u.", "no path of this machine"
    source = record["data"][0]
    assert source["licence"] == "CC BY-SA 4.0" and source["name"].startswith("msd/")
    asked = len(mirror.asked)
    again = CliRunner().invoke(course, [*words, "--dataset", f"msd/{TASK}"])
    assert "cached:" in again.output and len(mirror.asked) == asked
    place = public.get("msd/hippocampus").place
    assert place == mirror.cache / "msd" / TASK and not list(place.rglob("._*"))
    assert not place.with_name(f"{TASK}.tar").exists(), "the archive goes away"
    assert own.read(f"path:{place}").what == own.read("msd/hippocampus").what


def test_a_broken_download_goes_on_where_it_stopped(mirror, monkeypatch):
    mirror.cut = len(mirror.files[f"/{TASK}.tar"]) // 3
    monkeypatch.setattr(download, "ATTEMPTS", 2)
    with pytest.raises(CourseError, match="goes on where it stopped"):
        public.fetch("msd/hippocampus", progress=False)
    assert not public.get("msd/hippocampus").place.exists()
    mirror.cut = None
    public.fetch("msd/hippocampus", progress=False)
    assert mirror.asked[0][1] is None and mirror.asked[-1][1].startswith("bytes=")
    assert (mirror.cache / "msd" / TASK / "dataset.json").is_file()


def test_the_next_address_is_tried_and_without_any_all_is_named(mirror, monkeypatch):
    nowhere = "http://127.0.0.1:9"
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    offer(mirror, monkeypatch, nowhere)
    with pytest.raises(CourseError) as refused:
        public.fetch("msd/hippocampus", progress=False)
    md5 = hashlib.md5(mirror.files[f"/{TASK}.tar"]).hexdigest()
    for needed in (f"{nowhere}/{TASK}.tar", md5, str(mirror.cache / "msd")):
        assert needed in str(refused.value)
    offer(mirror, monkeypatch, nowhere, mirror.base)
    assert "CC BY-SA 4.0" in public.fetch("msd/hippocampus", progress=False)


def test_another_content_is_refused_and_an_archive_may_be_put_there_by_hand(mirror, monkeypatch):
    right = mirror.files[f"/{TASK}.tar"]
    mirror.files[f"/{TASK}.tar"] = right[:-1] + b"!"
    with pytest.raises(CourseError, match="not the expected file"):
        public.fetch("msd/hippocampus", progress=False)
    assert not (mirror.cache / "msd" / TASK).exists()
    mirror.files.clear()  # whoever asks now gets nothing
    (mirror.cache / "msd" / f"{TASK}.tar").write_bytes(right)
    public.fetch("msd/hippocampus", progress=False)
    assert len(own.read("msd/hippocampus").heads) == 6


def member(name, kind=tarfile.REGTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc"
    return info


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (member("../evil"), "points outside"),
        (member("/evil"), "points outside"),
        (member(f"{TASK}/../../evil"), "points outside"),
        (member(f"{TASK}/imagesTr/evil", tarfile.SYMTYPE), "points outside"),
        (member(f"{TASK}/imagesTr/evil", tarfile.LNKTYPE), "points outside"),
        (member("Task99_Other/dataset.json"), "holds no"),
    ],
    ids=["above", "absolute", "through", "symbolic link", "hard link", "another task"],
)
def test_archives_that_are_not_what_they_should_be_leave_nothing(mirror, monkeypatch, bad, message):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.addfile(bad, io.BytesIO())
    mirror.files[f"/{TASK}.tar"] = packed.getvalue()
    offer(mirror, monkeypatch, mirror.base)
    with pytest.raises(CourseError, match=message):
        public.fetch("msd/hippocampus", progress=False)
    assert not list(mirror.cache.rglob("evil*"))
    assert [each.name for each in (mirror.cache / "msd").iterdir() if each.is_dir()] == []


def test_a_folder_that_changed_since_is_refused_with_the_way_out(mirror):
    public.fetch("msd/hippocampus", progress=False)
    place = public.get("msd/hippocampus").place
    next(place.glob("labelsTr/*.gz")).unlink()
    with pytest.raises(CourseError, match="Delete that folder and run `course data fetch"):
        own.read("msd/hippocampus")


def test_medmnist_is_fetched_in_full_and_told_beside_the_published_result(mirror):
    with pytest.raises(CourseError, match="Run `course data fetch medmnist/breastmnist`"):
        own.read("medmnist/breastmnist")
    done = CliRunner().invoke(course, ["data", "fetch", "medmnist/breastmnist"])
    assert done.exit_code == 0 and "CC BY 4.0" in done.output
    question = catalogue.question("classification", "medmnist/breastmnist")
    parts = question.make("medmnist/breastmnist", "class", 0)
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [12] * 3
    assert set(parts.test.group) == {"published test set of breastmnist"}
    assert any("AUC 0.901, accuracy 0.863" in note for note in parts.notes)
    job = Job("classification", "majority", "medmnist/breastmnist", "smoke", 0)
    assert job.sources()[0]["licence"] == "CC BY 4.0"
    file = mirror.cache / "medmnist" / "breastmnist.npz"
    file.write_bytes(file.read_bytes() + b"!")
    with pytest.raises(CourseError, match="not the official file"):
        own.read("medmnist/breastmnist")


def test_names_are_known_and_near_ones_are_named():
    known = public.names()
    assert "medmnist/pathmnist" in known and "msd/spleen" in known and len(known) == 28
    assert public.get("msd/task09_spleen").name == "msd/Task09_Spleen"
    assert public.get("medmnist/pathmnist_64").place.name == "pathmnist_64.npz"
    with pytest.raises(CourseError, match="Did you mean msd/spleen"):
        public.get("msd/spleeen")
    with pytest.raises(CourseError, match="Did you mean medmnist/bloodmnist"):
        public.get("medmnist/bloodmist")
    assert set(medmnist.RESNET18) == {name for name in medmnist.info() if not name.endswith("3d")}
