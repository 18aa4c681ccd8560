"""Records appear whole or not at all."""

import json
import os

import pytest

from course_lib.benchmark.store import Store, write_json
from course_lib.errors import CourseError


def record(seed=0, status="done"):
    job = {
        "task": "denoising",
        "method": "median",
        "dataset": "chest_ct",
        "profile": "smoke",
        "seed": seed,
        "options": {},
    }
    return {"schema": 1, "status": status, "job": job, "started": "2026-01-01T00:00:00+00:00"}


def file(store, key, content):
    with store.writing(key) as folder:
        write_json(folder / "record.json", content)


def test_writes_and_reads(tmp_path):
    store = Store(tmp_path / "runs")
    assert store.records() == [] and store.read("a" * 64) is None and not store.done("a" * 64)
    file(store, "a" * 64, record())
    assert store.done("a" * 64) and store.read("a" * 64) == record()


def test_a_failed_job_is_kept_but_not_done_and_gives_way(tmp_path):
    store = Store(tmp_path)
    file(store, "a" * 64, record(status="failed"))
    assert not store.done("a" * 64) and store.read("a" * 64)["status"] == "failed"
    file(store, "a" * 64, record())
    assert store.done("a" * 64) and len(store.records()) == 1


def test_an_interrupted_write_leaves_nothing_and_harms_nothing(tmp_path):
    store = Store(tmp_path)
    file(store, "a" * 64, record(status="failed"))
    with pytest.raises(KeyboardInterrupt), store.writing("a" * 64) as folder:
        (folder / "record.json").write_text("{half")
        raise KeyboardInterrupt
    assert store.read("a" * 64)["status"] == "failed"
    (tmp_path / ".partial-1-00").mkdir()  # killed between writing the record and handing it over
    write_json(tmp_path / ".partial-1-00" / "record.json", record(seed=7))
    assert [r["job"]["seed"] for r in store.records()] == [0]
    (tmp_path / ".partial-1-00" / "record.json").unlink()
    (tmp_path / ".partial-1-00").rmdir()
    assert [path.name for path in tmp_path.iterdir()] == [("a" * 64)[:20]]


def test_leftovers_of_dead_processes_are_cleared_and_live_ones_stay(tmp_path):
    store = Store(tmp_path)
    dead, zombie = (os.spawnlp(os.P_NOWAIT, "true", "true") for _ in range(2))
    os.waitpid(dead, 0)
    os.waitid(os.P_PID, zombie, os.WEXITED | os.WNOWAIT)  # ended, and left unburied
    (tmp_path / f".partial-{dead}-00").mkdir()
    (tmp_path / f".partial-{zombie}-00").mkdir()
    (tmp_path / f".partial-{os.getpid()}-00").mkdir()
    store.clear()
    assert [path.name for path in tmp_path.iterdir()] == [f".partial-{os.getpid()}-00"]
    os.waitpid(zombie, 0)


def test_damage_is_said_with_the_next_step(tmp_path):
    store = Store(tmp_path)
    file(store, "a" * 64, record())
    (store.place("a" * 64) / "record.json").write_text("{half")
    with pytest.raises(CourseError, match="Delete its folder and run the job again"):
        store.records()


def test_undefined_numbers_become_null_and_a_perfect_score_stays_perfect(tmp_path):
    perfect = {"psnr": float("inf"), "ssim": 1.0, "auc": float("nan")}
    content = record() | {"cases": [{"case": "inf", "scores": perfect}]}
    folder = Store(tmp_path).place("a" * 64)
    folder.mkdir(parents=True)
    returned = write_json(folder / "record.json", content)
    (on_disk,) = json.loads((folder / "record.json").read_text("utf-8"))["cases"]
    assert on_disk["scores"] == {"psnr": "inf", "ssim": 1.0, "auc": None}
    read = Store(tmp_path).read("a" * 64)
    for found in (returned, read):
        (case,) = found["cases"]
        assert case["scores"] == {"psnr": float("inf"), "ssim": 1.0, "auc": None}
        assert case["case"] == "inf"  # a name is a name


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_store_is_said(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(CourseError, match="--store"), Store(tmp_path / "runs").writing("a" * 64):
        pass
