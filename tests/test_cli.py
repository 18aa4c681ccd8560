"""The program as users meet it: whatever they type, a sentence and an exit status."""

import json
import os
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest

from course_lib.benchmark import sweep
from course_lib.benchmark.job import Job
from course_lib.benchmark.store import Store
from course_lib.cli import faults, main
from course_lib.data import fetch

MEDIAN = ["run", "denoising", "median", "--profile", "smoke"]
RED_CNN = ["run", "denoising", "red_cnn", "--profile", "smoke"]
BENCH = ["bench", "--task", "denoising", "--profile", "smoke"]
REFUSED = [
    ["nonsense"],
    ["lessosn"],
    ["--nope"],
    ["run"],
    ["run", "denoising"],
    ["run", "denosing", "median"],
    ["run", "", "median"],
    ["run", "denoising", "medain"],
    ["run", "denoising", ""],
    ["run", "registration", "median"],
    ["run", "denoising", "path:nothing_here.py"],
    ["run", "denoising", "path:"],
    *([*MEDIAN, "--dataset", name] for name in ["moon", "chest_tc", "", " ", "path:/nowhere"]),
    *([*MEDIAN, "--dataset", name] for name in ["path:" + "x" * 5000, "path:/" + "ab/" * 2000]),
    *([*MEDIAN, "--dataset", name] for name in ["path:~nobody_of_that_name/scans", "path:a\0b"]),
    *([*MEDIAN, "--dataset", f"path:{name}"] for name in [sys.executable, "no?unit=K", "a?b=c"]),
    *([*MEDIAN, "--seed", seed] for seed in ["-1", "x", "1.5", "", str(2**31), str(2**64)]),
    [*MEDIAN, "--seed", "9" * 5000],
    [*MEDIAN, "--store", ""],
    [*MEDIAN, "--variant", "nope"],
    ["run", "denoising", "median", "--profile", "huge"],
    *(
        [*RED_CNN, "--option", text]
        for text in [
            "width", "width=", "=8", "width= ", "width=[8", "width={a: 1", "width={a: 1}",
            "width=@x",
            "width=%", "width=`ls`", "width=&a [*a]", "width=*a", "width=!!set {a}", "width=? a",
            "width=!!binary aGk=", "width=2024-02-30", "width=2024-02-03", "width=!!python/none x",
            "width=.nan", "width=.inf", "width=-.inf", "width=-3", "width=-0.5", "width=0",
            "width=1.5", "width=1e9", "width=1e999", "width=true", "width=null", "width=abc",
            "width=[8]", "width=[[8]]", "width=" + "9" * 5000, "width=" + "[" * 3000,
            "width=\t8: 9", "wdith=8",
            "width=1000000000", "a" * 5000 + "=1", "width=12:30:00 # no",
        ]
    ),
    [*RED_CNN, "--option", "width=8", "--option", "width=16"],
    ["run", "segmentation", "unet", "--option", "widths=[8, -1]"],
    ["run", "segmentation", "unet", "--option", "widths=[]"],
    ["run", "segmentation", "unet", "--option", "widths=8"],
    ["run", "segmentation", "unet", "--option", "skips=1"],
    *([*BENCH, "--seeds", n] for n in ["0", "-3", "x", "1e3", "", "100000000", "2.0"]),
    *([*BENCH, "--workers", n] for n in ["0", "-1", "100000", "x", "1.5"]),
    [*BENCH, "--method", "nope"],
    [*BENCH, "--method", "voxelmorph"],
    [*BENCH, "--method", "red_cnn", "--method", "voxelmorph"],
    [*BENCH, "--task", "segmentation", "--method", "red_cnn"],
    [*BENCH, "--option", "depth_of_field=3"],
    [*BENCH, "--option", "width=8,[,"],
    [*BENCH, "--option", "width=8,-2"],
    [*BENCH, "--without", "nope"],
    [*BENCH, "--without", "chest_ct"],
    [*BENCH, "--dataset", "moon"],
    ["bench", "--task", "nope"],
    ["bench", "--task", ""],
    ["report", "--store", "no_such_store"],
    ["report", "--store", ""],
    ["report", "--profile", "zzz"],
    ["report", "--task", "nope"],
    ["report", "--without", "nope"],
    ["tasks", "nope"],
    ["tasks", "a", "b"],
    ["methods", "--task", "nope"],
    ["methods", "--task", ""],
    ["check-method", "nope"],
    ["check-method", "path:nothing_here.py", "--task", "denoising"],
    ["check-method", "median", "--dataset", "moon"],
    ["data", "fetch", "nope"],
    ["data", "fetch", "../../etc"],
    ["data", "fetch", "chest_ct", "--without", "nope"],
    ["data", "medmnist", "nope"],
    ["data", "medmnist", "breastmnist", "--size", "99"],
    ["data", "medmnist", "breastmnist", "--file", "/nowhere"],
    ["measure", "nope"],
    ["build", "--nope"],
    ["lessons", "nope"],
    ["lessons", "copy", "a", "b"],
]  # fmt: skip


def enter(words):
    """The exit status of the program, called in this process."""
    with pytest.raises(SystemExit) as end:
        main(words)
    return end.value.code or 0


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """An empty folder to work in; nothing that is refused may get as far as a job."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sweep, "run", lambda *a, **k: pytest.fail("a job was started"))
    return tmp_path


def test_a_bad_command_is_refused_in_a_sentence(desk, capsys):
    for words in REFUSED:
        code, said = enter(words), capsys.readouterr()
        shown = " ".join(words)[:90]
        assert code == 2, (shown, code, said.err[-300:])
        assert "Traceback" not in said.err + said.out and "fault of the course" not in said.err
        assert said.err.rstrip().endswith((".", ")", "'.", "?")), (shown, said.err[-200:])
    assert not list(desk.iterdir()), "what is refused leaves nothing behind"


def test_names_nearby_are_proposed(desk, capsys):
    for words, name in (
        (["run", "denosing", "median"], "denoising"),
        (["run", "denoising", "medain"], "median"),
        ([*MEDIAN, "--dataset", "chest_tc"], "chest_ct"),
        (["data", "fetch", "chest_tc"], "chest_ct"),
        (["bnech"], "bench"),
    ):
        assert enter(words) == 2
        assert f"Did you mean {name}" in capsys.readouterr().err.replace("'", "")


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (OSError(28, "No space left on device", "/x/y"), 2, "/x/y cannot be used: No space"),
        (PermissionError(13, "Permission denied", "/x" * 900), 2, "(1,800 letters)"),
        (MemoryError(), 2, "Memory ran out"),
        (UnicodeEncodeError("utf-8", "M\udcfcller", 1, 2, "surrogates not allowed"), 2, "rename"),
        (ModuleNotFoundError("no", name="bm3d"), 2, "'bm3d' is missing"),
        (RuntimeError("Could not determine home directory."), 2, "COURSE_DATA"),
        (KeyboardInterrupt(), 130, "Interrupted"),
        (EOFError("No data left in file"), 70, "fault of the course"),
        (KeyError("region"), 70, "fault of the course"),
        (ModuleNotFoundError("no", name="course_lib.nope"), 70, "fault of the course"),
    ],
)
def test_what_libraries_raise_becomes_a_sentence(error, code, words, monkeypatch, capfd, tmp_path):
    def fail():
        raise error

    monkeypatch.setattr(faults.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(fetch, "doctor", fail)
    assert enter(["data", "doctor"]) == code
    said = capfd.readouterr().err
    assert words in said and "Traceback" not in said
    kept = list(tmp_path.glob("course-fault-*.txt"))
    assert bool(kept) == (code == 70)
    if kept:
        assert str(kept[0]) in said and "Traceback" in kept[0].read_text("utf-8")


def test_a_fault_of_the_course_is_shown_whole_on_request(monkeypatch, capsys):
    monkeypatch.setenv("COURSE_DEBUG", "1")
    monkeypatch.setattr(fetch, "doctor", lambda: 1 / 0)
    assert enter(["data", "doctor"]) == 70
    assert "ZeroDivisionError: division by zero" in capsys.readouterr().err


def program(*words, **more):
    """The program in a process of its own."""
    environment = os.environ | more.pop("env", {})
    command = [sys.executable, "-m", "course_lib.cli", *words]
    return subprocess.run(command, capture_output=True, env=environment, **more)


@pytest.mark.parametrize("encoding", ["cp1252", "cp850", "cp932", "ascii", "latin-1"])
def test_output_never_fails_for_its_encoding(encoding, monkeypatch, tmp_path):
    """What is printed by commands that print most, to a pipe of another encoding."""
    script = (
        "import sys; from course_lib.cli import main\n"
        "for words in (['tasks'], ['tasks', 'segmentation'], ['methods'], ['data', 'list'],\n"
        "              ['data', 'doctor'], ['--help'], ['lessons', 'list'],\n"
        "              ['run', 'denoising', 'median', '--dataset', 'path:M\\udcfcller→☃']):\n"
        "    try: main(words)\n"
        "    except SystemExit as end: print(words[0], end.code)\n"
    )
    environment = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "COURSE_DATA": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, env=os.environ | environment
    )
    said = done.stderr.decode(encoding, "replace")
    assert done.returncode == 0 and "Traceback" not in said and "fault of" not in said, said
    assert "run 2" in done.stdout.decode(encoding, "replace")
    assert "does not exist" in said


def test_json_is_whole_in_every_encoding():
    done = program("methods", "--json", env={"PYTHONIOENCODING": "cp932", "PYTHONUTF8": "0"})
    names = {row["name"]: row["cite"] for row in json.loads(done.stdout.decode("cp932"))}
    assert any(not cite.isascii() for cite in names.values())


def test_the_installed_program_refuses_with_status_2(tmp_path):
    done = program(*BENCH, "--seeds", "0", cwd=tmp_path, text=True)
    assert done.returncode == 2 and "0 is not in the range" in done.stderr
    done = program(*BENCH, "--method", "voxelmorph", cwd=tmp_path, text=True)
    assert done.returncode == 2 and "VoxelMorph" in done.stderr


def test_without_a_home_or_with_one_that_is_read_only_course_data_is_named(monkeypatch, capsys):
    """As containers run that are given a number for a user."""
    pwd = pytest.importorskip("pwd")
    monkeypatch.setattr(pwd, "getpwuid", lambda number: {}[number])
    for name in ("COURSE_DATA", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for home in (None, "/proc/nowhere"):
        if home:
            monkeypatch.setenv("HOME", home)
        for words in (["data", "fetch", "nuclei"], [*MEDIAN, "--store", "/proc/nowhere/runs"]):
            assert enter(words) == 2
            said = capsys.readouterr().err
            assert "COURSE_DATA" in said or "data fetch" in said, said
    assert enter(["data", "list"]) == 0


def test_a_reader_that_closes_the_pipe_is_no_fault():
    command = f"{sys.executable} -m course_lib.cli methods | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.stdout.count("\n") == 1 and not done.stderr


def test_lessons_are_copied_and_work_is_not_written_over(tmp_path, capsys):
    assert enter(["lessons", "copy", str(tmp_path / "mine")]) == 0
    lesson = tmp_path / "mine" / "01_restoration" / "01_denoising.ipynb"
    assert lesson.is_file() and (tmp_path / "mine" / "00_start_here.ipynb").is_file()
    lesson.write_text("my work", "utf-8")
    (tmp_path / "mine" / "00_start_here.ipynb").unlink()
    assert enter(["lessons", "copy", str(tmp_path / "mine")]) == 0
    assert lesson.read_text("utf-8") == "my work"
    assert "1 notebooks copied" in capsys.readouterr().out
    assert enter(["lessons", "copy", str(lesson)]) == 2


def test_lab_says_how_to_get_jupyterlab_where_it_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("course_lib.cli.lab.find_spec", lambda name: None)
    assert enter(["lab", str(tmp_path / "mine")]) == 2
    assert "pip install" in capsys.readouterr().err
    assert (tmp_path / "mine" / "00_start_here.ipynb").is_file()


@pytest.fixture
def mr(tmp_path):
    """A folder of volumes that are no CT."""
    folder = tmp_path / "mr"
    folder.mkdir()
    for number in range(4):
        values = np.random.default_rng(number).normal(300, 40, (40, 40, 12)).astype(np.float32)
        nib.save(nib.Nifti1Image(values, np.eye(4)), folder / f"case_{number}.nii.gz")
    return folder


def test_data_that_do_not_fit_are_refused_without_a_kernel_or_a_record(desk, mr, capsys):
    assert enter([*MEDIAN, "--dataset", f"path:{mr}"]) == 2
    said = capsys.readouterr().err
    assert "HU" in said and "failed" not in said and "CourseError" not in said
    command = ["bench", "--method", "median", "--dataset", f"path:{mr}", "--profile", "smoke"]
    assert enter(command) == 2
    said = capsys.readouterr().out
    assert "3 refused" in said and said.count("refused: denoising: ") == 1
    assert not (desk / "runs").exists()


def test_data_that_are_not_here_are_refused_before_any_job(desk, capsys, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(desk / "empty"))
    assert enter([*MEDIAN, "--dataset", "chest_ct"]) == 2
    assert "course data fetch chest_ct" in capsys.readouterr().err


@pytest.mark.slow
def test_a_refusal_that_only_the_job_meets_leaves_no_failed_record(tmp_path, mr):
    job = Job("denoising", "median", f"path:{mr}", "smoke", 0)
    outcome = sweep.run([job], Store(tmp_path / "runs"))[0]
    assert outcome.status == "refused" and outcome.error and "HU" in outcome.error
    assert not Store(tmp_path / "runs").records()


def test_a_file_name_of_a_windows_archive_is_read_under_a_readable_name(mr, tmp_path):
    """The umlaut is one byte of Latin-1, which is no UTF-8."""
    os.rename(mr / "case_0.nii.gz", os.fsencode(mr) + b"/M\xfcller.nii.gz")
    done = program(
        "run", "super_resolution", "bicubic", "--dataset", f"path:{mr}", "--profile", "smoke",
        cwd=tmp_path, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    written = next((tmp_path / "runs").glob("*/record.json")).read_text("utf-8")
    assert "udcfc" not in written


@pytest.mark.parametrize(
    ("line", "offered", "not_offered"),
    [
        ("course run den", "denoising", "detection"),
        ("course run denoising red", "red_cnn", "voxelmorph"),
        ("course bench --task registration --method voxel", "voxelmorph", "red_cnn"),
        ("course run denoising median --dataset chest", "chest_ct", "brain_mni"),
        ("course data fetch brain", "brain_mni", "chest_ct"),
    ],
)
def test_the_tab_key_completes_tasks_methods_and_data_sets(line, offered, not_offered):
    from click.shell_completion import ShellComplete

    from course_lib.cli import course

    *words, begun = line.split()[1:]
    found = ShellComplete(course, {}, "course", "_COURSE_COMPLETE").get_completions(words, begun)
    names = [item.value for item in found]
    assert offered in names and not_offered not in names
