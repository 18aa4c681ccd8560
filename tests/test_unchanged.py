"""A record says nothing of a method whose code was changed in memory, and does not claim to."""

from dataclasses import replace

import pytest

from course_lib import unchanged
from course_lib.benchmark import job as jobs
from course_lib.benchmark.job import Job, run_here
from course_lib.benchmark.store import Store
from course_lib.code import PACKAGE
from course_lib.methods.denoising import noisy_input, red_cnn
from course_lib.metrics import image
from course_lib.tasks.denoising import low_dose

NOISY = Job("denoising", "noisy_input", "chest_ct", "smoke", 0)


def test_code_as_it_was_imported_is_unchanged_whatever_has_been_run():
    assert NOISY.changed() == []
    assert replace(NOISY, method="red_cnn").changed() == []


def cheat(self, batch):
    return batch["low_dose"]


def other_mean(values, weights=2):
    return values


CHANGES = {
    "a method": (noisy_input.NoisyInput, "predict", cheat, "NoisyInput.predict"),
    "a method that it inherits": (noisy_input.NoisyInput, "begin", cheat, "NoisyInput.begin"),
    "a lambda": (noisy_input.NoisyInput, "predict", lambda self, batch: 0, "NoisyInput.predict"),
    "another method of the course": (
        *(noisy_input.NoisyInput, "predict", red_cnn.REDCNN.losses),
        "NoisyInput.predict",
    ),
    "a number": (low_dose, "LOW_PHOTONS", 9e9, "low_dose.LOW_PHOTONS"),
    "a metric": (image, "psnr", other_mean, "image.psnr"),
    "the question": (
        *(low_dose, "QUESTION", replace(low_dose.QUESTION, headline="ssim")),
        "QUESTION.headline",
    ),
    "a name that hides a builtin": (low_dose, "sum", other_mean, "low_dose.sum"),
    "what runs a job": (jobs, "SEEDS", 3, "job.SEEDS"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_changed_in_memory_is_named(what, monkeypatch):
    place, name, value, told = CHANGES[what]
    monkeypatch.setattr(place, name, value, raising=False)
    (found,) = NOISY.changed()
    assert found.startswith("course_lib.") and found.endswith(told)
    monkeypatch.undo()
    assert NOISY.changed() == []


def test_a_changed_default_and_a_wrapped_function_are_named(monkeypatch):
    from functools import wraps

    monkeypatch.setattr(image.ssim, "__defaults__", (123,))
    assert [name.rpartition(".")[2] for name in NOISY.changed()] == ["ssim"]
    monkeypatch.undo()

    @wraps(image.psnr)
    def better(*arguments):
        return better.__wrapped__(*arguments) + 1

    monkeypatch.setattr(image, "psnr", better)
    assert [name.rpartition(".")[2] for name in NOISY.changed()] == ["psnr"]


def test_a_file_edited_after_it_was_imported_is_named(tmp_path, monkeypatch):
    source = (PACKAGE / "methods" / "denoising" / "noisy_input.py").read_text("utf-8")
    edited = tmp_path / "noisy_input.py"
    monkeypatch.setattr(noisy_input, "__file__", str(edited))
    for text, told in ((source, []), (source + "\nNEW = 1\n", ["NEW"]), ("(", ["noisy_input"])):
        edited.write_text(text, "utf-8")
        names = unchanged.changed([noisy_input.__name__])
        assert [name.rpartition(".")[2] for name in names] == told


def test_a_result_of_changed_code_is_kept_apart_and_the_real_one_takes_its_place(
    tmp_path, monkeypatch, capsys
):
    store, words = Store(tmp_path), (NOISY.task, NOISY.method, NOISY.dataset, "smoke", 0)
    monkeypatch.setattr(noisy_input.NoisyInput, "predict", lambda self, b: b["low_dose"] * 0)
    cheated = run_here(*words, store=tmp_path)
    assert "changed in memory" in (said := capsys.readouterr().out) and "predict" in said
    assert cheated["patched"] == ["course_lib.methods.denoising.noisy_input.NoisyInput.predict"]
    assert store.read(cheated["key"])["key"] == cheated["key"] != NOISY.key()
    assert not store.done(NOISY.key()) and store.records() == []
    monkeypatch.undo()
    honest = run_here(*words, store=tmp_path)
    assert honest["key"] == NOISY.key() and "patched" not in honest and store.done(NOISY.key())
    assert [record["key"] for record in store.records()] == [NOISY.key()]
    monkeypatch.setattr(noisy_input.NoisyInput, "predict", lambda self, b: b["low_dose"] * 0)
    again = run_here(*words, store=tmp_path)
    assert again["patched"] and again["cases"] != honest["cases"], "not read under the clean key"
