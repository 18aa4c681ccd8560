"""A job's threads: the same job gives the same numbers, however many the process had before."""

import os

import numpy as np
import pytest
import torch
from scipy.linalg import solve
from threadpoolctl import threadpool_info

from course_lib import threads
from course_lib.benchmark.job import Job, run_here
from course_lib.benchmark.origins import command
from course_lib.benchmark.store import Store
from course_lib.errors import CourseError

JOB = "denoising", "cnn_dae", "chest_ct", "smoke", 0


def test_a_job_gives_the_same_bits_in_a_process_of_one_thread_and_of_two(tmp_path):
    before, found = torch.get_num_threads(), []
    try:
        for had in (1, 2):
            torch.set_num_threads(had)
            found.append(run_here(*JOB, store=tmp_path / str(had)))
            assert torch.get_num_threads() == had, "as it was"
    finally:
        torch.set_num_threads(before)
    one, two = found
    assert one["cases"] == two["cases"] and one["key"] == two["key"]
    losses = [[(row["losses"], row["validation"]) for row in r["curve"]] for r in found]
    assert losses[0] == losses[1]
    assert one["device"]["threads"] == two["device"]["threads"] == 1
    assert "threads" not in one["job"] and "--threads" not in command(one)


def test_other_threads_are_another_job_and_stand_in_its_record_and_command(tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr("course_lib.benchmark.compute._computed", _only_looks(seen))
    monkeypatch.setenv(threads.VARIABLE, "3")
    with pytest.raises(KeyboardInterrupt):
        run_here(*JOB, store=tmp_path)
    assert seen["torch"] == seen["OMP_NUM_THREADS"] == 3 and Store(tmp_path).records() == []
    one, three = Job(*JOB), Job(*JOB, threads=3)
    assert one.key() == Job(*JOB, threads=1).key() != three.key()
    assert three.describe()["threads"] == 3 and "3 threads" in str(three) != str(one)
    assert command({"job": three.describe()}).endswith("--threads 3")


def _only_looks(seen):
    def computed(job, progress):
        seen["torch"] = torch.get_num_threads()
        seen["OMP_NUM_THREADS"] = int(os.environ["OMP_NUM_THREADS"])
        raise KeyboardInterrupt

    return computed


def test_libraries_that_are_loaded_are_limited_and_get_back_what_they_had():
    assert solve(np.eye(2), np.ones(2)).sum() == 2  # of a library with threads of its own
    before, had = torch.get_num_threads(), {n: os.environ.get(n) for n in threads.OF_LIBRARIES}
    pools = [pool["num_threads"] for pool in threadpool_info()]
    with threads.limited(1):
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}
        assert {os.environ[name] for name in threads.OF_LIBRARIES} == {"1"}
    assert torch.get_num_threads() == before
    assert [pool["num_threads"] for pool in threadpool_info()] == pools
    assert {name: os.environ.get(name) for name in threads.OF_LIBRARIES} == had


@pytest.mark.parametrize("said", ["0", "-1", "two", "1.5", "99999", "²"])
def test_a_number_of_threads_that_is_none_is_refused(said, monkeypatch):
    monkeypatch.setenv(threads.VARIABLE, said)
    with pytest.raises(CourseError, match="Expected: 1 to"):
        threads.asked()


@pytest.mark.parametrize("count", [0, -1, 100_000])
def test_a_job_with_no_such_number_of_threads_is_refused(count):
    with pytest.raises(CourseError, match="threads of the processor"):
        Job(*JOB, threads=count).check()
