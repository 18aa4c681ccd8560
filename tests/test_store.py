"""Records appear whole or not at all, and are believed only as they were written."""

import json
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from course_lib.benchmark import claims, clock
from course_lib.benchmark.job import Job
from course_lib.benchmark.store import Store, digest, write_json
from course_lib.errors import CourseError
from tests import one_record

KEY, OTHER = "a" * 64, "b" * 64


def record(seed=0, status="done", key=KEY):
    job = {
        "task": "denoising",
        "method": "median",
        "dataset": "chest_ct",
        "profile": "smoke",
        "seed": seed,
        "options": {},
    }
    return one_record.record(job, key, status)


def file(store, key, content, pictures=b"pictures"):
    with store.writing(key) as folder:
        write_json(folder / "record.json", content | {"key": key})
        (folder / "pictures.npz").write_bytes(pictures)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_writes_and_reads(tmp_path):
    store = Store(tmp_path / "runs")
    assert store.records() == [] and store.read(KEY) is None and not store.done(KEY)
    file(store, KEY, record())
    assert store.done(KEY) and record().items() <= store.read(KEY).items()
    assert names(tmp_path / "runs") == [KEY[:20]]


def test_a_failed_job_is_kept_but_not_done_and_gives_way(tmp_path):
    store = Store(tmp_path)
    file(store, KEY, record(status="failed"))
    (store.place(KEY) / "notebook.ipynb").write_text("of the failed job")
    assert not store.done(KEY) and store.read(KEY)["status"] == "failed"
    file(store, KEY, record())
    assert store.done(KEY) and len(store.records()) == 1
    assert names(store.place(KEY)) == ["pictures.npz", "record.json"]


def test_the_second_to_finish_a_job_leaves_the_record_of_the_first(tmp_path):
    store = Store(tmp_path)
    file(store, KEY, record() | {"note": "first"})
    file(store, KEY, record() | {"note": "second"})
    assert store.read(KEY)["note"] == "first" and names(tmp_path) == [KEY[:20]]


def test_an_interrupted_write_leaves_nothing_and_harms_nothing(tmp_path):
    store = Store(tmp_path)
    file(store, KEY, record(status="failed"))
    with pytest.raises(KeyboardInterrupt), store.writing(KEY) as folder:
        (folder / "record.json").write_text("{half")
        raise KeyboardInterrupt
    assert store.read(KEY)["status"] == "failed" and names(tmp_path) == [KEY[:20]]


@pytest.mark.parametrize("moment", range(12))
def test_a_writer_killed_at_any_step_leaves_the_old_record_or_the_new_one(tmp_path, moment):
    """SIGKILL before its n-th change of the disk, while a failed record gives way to a good one."""
    store = Store(tmp_path)
    file(store, KEY, record(status="failed"))
    process = multiprocessing.get_context("fork").Process(target=_killed, args=(store, moment))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL or (process.exitcode == 0 and moment > 6)
    (left,) = store.records()
    assert left["status"] == "failed" or store.done(KEY)
    store.clear()
    assert names(tmp_path) == [KEY[:20]] and store.records() == [left]


def _killed(store, moment):
    left = moment

    def counted(change):
        def counting(*arguments, **keywords):
            nonlocal left
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
            return change(*arguments, **keywords)

        return counting

    for name in ("mkdir", "rename", "replace", "unlink"):
        setattr(os, name, counted(getattr(os, name)))
    file(store, KEY, record())


def test_what_is_written_lies_on_the_disk_before_it_is_handed_over(tmp_path, monkeypatch):
    synced, fsync, rename = [], os.fsync, os.rename

    def handed_over(old, new):
        held = {os.stat(path).st_ino for path in (old / "record.json", old / "pictures.npz")}
        assert held <= set(synced)
        rename(old, new)

    monkeypatch.setattr(os, "fsync", lambda f: (synced.append(os.fstat(f).st_ino), fsync(f)))
    monkeypatch.setattr(os, "rename", handed_over)
    file(Store(tmp_path), KEY, record())
    assert synced[-1] == tmp_path.stat().st_ino


def left_by(store, process):
    """Work in flight and a claim of a process on this machine."""
    name = f"{claims.here()}-{process}-{claims._born(process)}-00"
    (store.folder / f".partial-{name}").mkdir()
    (store.folder / f".claim-{name}").write_text(name)


def test_leftovers_of_dead_processes_are_cleared_and_live_ones_stay(tmp_path):
    store = Store(tmp_path)
    dead, zombie = (os.spawnlp(os.P_NOWAIT, "sleep", "sleep", "600") for _ in range(2))
    for process in (dead, zombie, os.getpid()):
        left_by(store, process)
    for process in (dead, zombie):
        os.kill(process, signal.SIGKILL)
    os.waitpid(dead, 0)
    os.waitid(os.P_PID, zombie, os.WEXITED | os.WNOWAIT)  # ended, and left unburied
    store.clear()
    assert names(tmp_path) == [f".claim-{claims.me()}-00", f".partial-{claims.me()}-00"]
    os.waitpid(zombie, 0)


def test_a_number_given_to_another_process_says_nothing_of_the_dead_one(tmp_path):
    later = claims._born(os.getpid()) - 1
    (tmp_path / f".partial-{claims.here()}-{os.getpid()}-{later}-00").mkdir()
    Store(tmp_path).clear()
    assert not names(tmp_path)


@pytest.mark.parametrize(
    "owner",
    [
        "0123456789ab-1-77-00",
        "0123456789ab-999999-1-00",
        "999999-0011",
        "abc",
        "",
        "1e5-x",
        "--5-x",
        f"here-{2**70}-1-x",
    ],
)
def test_work_of_another_machine_is_left_alone_until_it_is_long_untouched(tmp_path, owner):
    """Another machine, container or version: its process numbers say nothing here."""
    partial, claim = tmp_path / f".partial-{owner}", tmp_path / ".claim-job"
    partial.mkdir()
    (partial / "notebook.ipynb").write_text("an hour of training")
    claim.write_text(owner)
    store = Store(tmp_path)
    store.clear()
    assert names(tmp_path) == [claim.name, partial.name]
    with store.claimed("job") as mine:
        assert not mine
    for path in (partial, partial / "notebook.ipynb", claim):
        os.utime(path, (time.time() - 2 * 86400,) * 2)
    with store.claimed("job") as mine:
        assert mine
    store.clear()
    assert not names(tmp_path)


def test_undefined_numbers_become_null_and_a_perfect_score_stays_perfect(tmp_path):
    perfect = {"psnr": float("inf"), "ssim": 1.0, "auc": float("nan")}
    case = {"case": "inf", "subject": "inf", "group": "chest", "scores": perfect}
    with Store(tmp_path).writing() as folder:
        returned = write_json(folder / "record.json", record() | {"cases": [case]})
    file = Store(tmp_path).place(KEY) / "record.json"
    (on_disk,) = json.loads(file.read_text("utf-8"))["cases"]
    assert on_disk["scores"] == {"psnr": "inf", "ssim": 1.0, "auc": None}
    read = Store(tmp_path).read(KEY)
    for found in (returned, read):
        (case,) = found["cases"]
        assert case["scores"] == {"psnr": float("inf"), "ssim": 1.0, "auc": None}
        assert case["case"] == "inf"  # a name is a name


def test_a_container_leaves_the_work_of_another_one_alone(tmp_path):
    """A second process namespace, where the first one's process numbers mean nothing."""
    apart = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    if os.name != "posix" or subprocess.run([*apart, "true"], capture_output=True).returncode:
        pytest.skip("no process namespaces here")
    script = f"from course_lib.benchmark.store import Store; Store({str(tmp_path)!r}).clear()"
    store = Store(tmp_path)
    with store.claimed(KEY), store.writing(KEY) as folder:
        write_json(folder / "record.json", record())
        subprocess.run([*apart, sys.executable, "-c", script], check=True, timeout=120)
    assert store.done(KEY)


def test_a_job_has_one_owner_at_a_time(tmp_path):
    store = Store(tmp_path)
    with store.claimed(KEY) as first, store.claimed(KEY) as second, store.claimed(OTHER) as other:
        assert (first, second, other) == (True, False, True)
    with store.claimed(KEY) as again:
        assert again
    assert not names(tmp_path)


def test_a_claim_is_touched_while_its_owner_lives(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "BEAT_S", 0.01)
    with Store(tmp_path).claimed(KEY):
        (claim,) = tmp_path.iterdir()
        os.utime(claim, (0, 0))
        deadline = time.monotonic() + 30
        while claim.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert claims.age(claim) < 60


def test_many_writers_and_readers_of_one_store_do_not_trip_each_other_up(tmp_path):
    context = multiprocessing.get_context("fork")
    told = context.Queue()
    work = [context.Process(target=_write, args=(tmp_path, told)) for _ in range(3)]
    work.append(context.Process(target=_look, args=(tmp_path, told)))
    for process in work:
        process.start()
    assert [told.get(timeout=120) for _ in work] == ["well"] * 4
    for process in work:
        process.join()
    assert len(Store(tmp_path).records()) == 3
    assert all(Store(tmp_path).done(str(n) * 64) for n in range(3))
    assert not list(tmp_path.glob(".*"))


def _write(folder, told):
    """Jobs that fail at first, each several times over."""
    said = "well"
    for n in range(30):
        try:
            file(Store(folder), str(n % 3) * 64, record(n % 3, "failed" if n < 20 else "done"))
        except Exception as error:
            said = repr(error)
    told.put(said)


def _look(folder, told):
    said, most = "well", 0
    for _ in range(60):
        seen, damaged = Store(folder).survey()
        if damaged or len(seen) < most:
            said = f"{len(seen)} of {most}, {damaged}"
        most = len(seen)
    told.put(said)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{half",
        "[]",
        "null",
        "5",
        "{}",
        '{"status": "done"}',
        '{"status": "done", "job": 1}',
        "\x00" * 40,
        '"text"',
        "[" * 100000,
        '{"status": "maybe", "job": {}}',
    ],
)
def test_a_damaged_record_is_named_and_stops_nothing(tmp_path, content, caplog):
    store = Store(tmp_path)
    file(store, KEY, record())
    file(store, OTHER, record(seed=1))
    (store.place(KEY) / "record.json").write_text(content)
    with caplog.at_level(logging.WARNING):
        assert [found["job"]["seed"] for found in store.records()] == [1]
    assert str(store.place(KEY) / "record.json") in caplog.text
    (sentence,) = store.survey()[1]
    assert "damaged" in sentence and "run the job again" in sentence
    assert not store.done(KEY) and store.done(OTHER)
    with pytest.raises(CourseError, match="damaged"):
        store.read(KEY)
    file(store, KEY, record())
    assert store.done(KEY) and not store.survey()[1]


def test_a_record_edited_by_hand_is_not_believed(tmp_path):
    store = Store(tmp_path)
    file(store, KEY, record())
    path = store.place(KEY) / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()), indent=4, sort_keys=True))
    assert store.done(KEY), "other blanks, the same content"
    path.write_text(path.read_text().replace("31.5", "99.5"))
    assert not store.done(KEY) and "checksum" in store.survey()[1][0] and not store.records()
    edited = json.loads(path.read_text())
    del edited["sha256"]
    path.write_text(json.dumps(edited))
    assert not store.done(KEY) and "checksum" in store.survey()[1][0] and not store.records()


@pytest.mark.parametrize("harm", ["empty", "gone", "a bit"])
def test_a_job_is_not_done_when_what_lies_beside_its_record_is_damaged(tmp_path, harm):
    store = Store(tmp_path)
    file(store, KEY, record())
    pictures = store.place(KEY) / "pictures.npz"
    if harm == "gone":
        pictures.unlink()
    else:
        pictures.write_bytes(b"" if harm == "empty" else b"picturer")
    assert not store.done(KEY)
    file(store, KEY, record())
    assert store.done(KEY) and pictures.read_bytes() == b"pictures"


def test_records_of_code_changed_in_memory_are_kept_but_not_compared(tmp_path):
    store = Store(tmp_path)
    file(store, KEY, record() | {"patched": ["course_lib.fit.predict"]})
    assert store.done(KEY) and store.records() == []


def test_what_no_file_can_hold_is_spelled_out(tmp_path):
    write_json(tmp_path / "x.json", {"a": [float("nan"), float("inf"), 1.5, "x\ud800"]})
    found = json.loads((tmp_path / "x.json").read_text("utf-8"))
    assert found == {"a": [None, None, 1.5, "x\\ud800"]}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_store_is_said(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(CourseError, match="--store"):
        file(Store(tmp_path / "runs"), KEY, record())


def test_a_store_that_is_a_file_is_said(tmp_path):
    (tmp_path / "runs").write_text("x")
    with pytest.raises(CourseError, match="--store"):
        file(Store(tmp_path / "runs"), KEY, record())


def seal(edited):
    """Its checksum is right."""
    said = {name: value for name, value in edited.items() if name != "sha256"}
    return said | {"sha256": digest(said)}


NOT_WHOLE = {
    "no time": lambda r: r.pop("wall_s"),
    "time in words": lambda r: r["wall_s"].update(total="long"),
    "a job with more": lambda r: r["job"].update(colour=1),
    "a task that is a list": lambda r: r["job"].update(task=["denoising"]),
    "options that are a list": lambda r: r["job"].update(options=[1]),
    "files that are a list": lambda r: r.update(files=["a"]),
    "no key": lambda r: r.pop("key"),
    "a key that leads elsewhere": lambda r: r.update(key="../../other"),
    "the key of another job": lambda r: r.update(key=OTHER),
    "no start": lambda r: r.pop("started"),
    "no cases": lambda r: r.update(cases=[]),
    "a score in words": lambda r: r["cases"][0]["scores"].update(psnr="good"),
    "data in words": lambda r: r.update(data="x"),
    "a later schema": lambda r: r.update(schema=99),
    "failed without an error": lambda r: r.update(status="failed"),
}


@pytest.mark.parametrize("fault", NOT_WHOLE)
def test_a_record_that_is_none_though_its_checksum_is_right_is_named(tmp_path, fault):
    store = Store(tmp_path)
    file(store, KEY, record())
    file(store, OTHER, record(seed=1))
    path = store.place(KEY) / "record.json"
    edited = json.loads(path.read_text())
    NOT_WHOLE[fault](edited)
    path.write_text(json.dumps(seal(edited)))
    found, (sentence,) = store.survey()
    assert [kept["job"]["seed"] for kept in found] == [1]
    assert str(path) in sentence and "damaged" in sentence and not store.done(KEY)
    assert clock.known_seconds(store) == {("denoising", "median", "smoke"): [0.03]}
    file(store, KEY, record())
    assert store.done(KEY)


@pytest.mark.parametrize("what", ["a file", "a link to nowhere", "a folder for its record"])
def test_what_is_in_a_jobs_way_is_named_and_not_deleted(tmp_path, what):
    store = Store(tmp_path / "runs")
    store.folder.mkdir()
    place = store.place(KEY)
    if what == "a file":
        place.write_text("notes")
    elif what == "a link to nowhere":
        place.symlink_to(tmp_path / "nowhere")
    else:
        (place / "record.json").mkdir(parents=True)
    with pytest.raises(CourseError, match="in the way"):
        file(store, KEY, record())
    assert os.path.lexists(place) and not store.done(KEY)
    assert not list(store.folder.glob(".*"))


@pytest.mark.parametrize("what", ["a folder", "bytes", "of a time to come"])
def test_a_claim_that_is_none_holds_nobody_up_for_ever(tmp_path, what):
    store = Store(tmp_path)
    claim = tmp_path / f".claim-{KEY[:20]}"
    if what == "a folder":
        (claim / "within").mkdir(parents=True)
    else:
        claim.write_bytes(b"\xff\xfe" if what == "bytes" else b"elsewhere-1-1-00")
    (tmp_path / ".partial-file").write_text("no folder")
    store.clear()
    with store.claimed(KEY) as mine:
        assert not mine, "somebody may have made it a moment ago"
    days = 40 * 86400 if what == "of a time to come" else -86400
    os.utime(claim, (time.time() + days,) * 2)
    with store.claimed(KEY) as mine:
        assert mine
    assert not claim.exists()


@pytest.mark.parametrize(
    "said",
    [
        *("", "[]", "null", "{}", "\xff", '{"job": "J"}'),
        '{"job": "J", "done": "x", "of": 3, "step_s": 1}',
        '{"job": "J", "done": 0, "of": 0, "step_s": null}',
        '{"job": "J", "done": 4, "of": 3, "step_s": null}',
        '{"job": "J", "done": 1, "of": 3, "step_s": "slow"}',
        '{"job": "J", "done": 1, "of": 3, "step_s": NaN}',
        '{"job": ["J"], "done": 1, "of": 3, "step_s": 1}',
    ],
)
def test_a_pulse_that_is_none_says_nothing(tmp_path, said):
    job = Job(**record()["job"])
    folder = tmp_path / ".partial-x"
    folder.mkdir()
    (folder / clock.FILE).write_text(said.replace('"J"', json.dumps(str(job))), "utf-8")
    assert clock.pulses(Store(tmp_path), [job]) == {}


def test_a_store_that_cannot_be_is_said_by_whoever_wants_a_job(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "deep")
    for name in ("file", "file/below", "link"):
        with pytest.raises(CourseError, match="--store"), Store(tmp_path / name).claimed(KEY):
            pass
