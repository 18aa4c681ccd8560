"""What a job computes: cases, training, prediction, scores, and the record of all that."""

import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from course_lib import catalogue
from course_lib.benchmark.cost import parameters, peak_memory_mb, versions
from course_lib.benchmark.job import NOTE, Job
from course_lib.benchmark.store import Record
from course_lib.catalogue import paces
from course_lib.code import library_versions
from course_lib.errors import CourseError
from course_lib.threads import limited

if TYPE_CHECKING:
    from course_lib.fit import Progress
    from course_lib.tasks.base import Question, Splits


def compute(job: Job, progress: "Progress" = True) -> tuple[Record, dict[str, Any]]:
    """Makes the cases, trains, predicts and scores, with as many threads as the job says. Returns
    the record and the panels."""
    with limited(job.threads):
        return _computed(job, progress)


def _computed(job: Job, progress: "Progress") -> tuple[Record, dict[str, Any]]:
    import torch

    from course_lib import device as devices
    from course_lib.fit import fit
    from course_lib.methods.asking import ask

    started, begin = datetime.now(UTC), time.perf_counter()
    question, device = job.question, devices.choose()
    splits = job.splits().to(device)
    question = question.of(splits.facts)
    for note in splits.notes:  # before the training, which may take long
        print(NOTE + note, flush=True)
    test = splits.test
    can_be_scored(question, splits, job.dataset)
    data_s = time.perf_counter() - begin
    method = catalogue.build(job.method, **job.built_with)
    history = fit(
        method,
        question,
        splits,
        profile=job.profile,
        seed=job.seed,
        plan=paces.within(job.plan, job.profile, question, splits),
        progress=progress,
    )

    start = time.perf_counter()
    prediction, privileged = ask(method, test)
    predict_s = time.perf_counter() - start
    found = question.score(prediction, test.tensors, test.facts)
    scores = {name: values.tolist() for name, values in found.items()}
    evidence = question.evidence or (lambda *given: {})
    told = {k: v.tolist() for k, v in evidence(prediction, test.tensors, test.facts).items()}
    with torch.no_grad():
        panels = question.pictures(prediction, test.tensors, test.facts)
    wall = {"data": data_s, "fit": history.seconds, "predict": predict_s}
    wall["total"] = time.perf_counter() - begin
    record: Record = {
        "schema": 1,
        "key": job.key(),
        "status": "done",
        "error": None,
        "job": job.describe(),
        "options": job.built_with,
        "about": catalogue.entry(job.method).describe(),
        "privileged": bool(privileged),
        "started": started.isoformat(timespec="seconds"),
        "wall_s": {name: round(seconds, 3) for name, seconds in wall.items()},
        "predict_s_per_case": predict_s / len(test),
        "peak_memory_mb": peak_memory_mb(device),
        "parameters": parameters(method),
        "steps": history.steps,
        "device": {
            "name": devices.name(device),
            "kind": device.type,
            "threads": torch.get_num_threads(),
            "precision": job.precision(),
        },
        "versions": versions() | library_versions(*job.modules()),
        "data": job.sources(),
        "provenance": dict(test.provenance),
        "notes": list(splits.notes),
        "settings": {
            "chosen": history.chosen,
            "candidates": history.candidates,
            "chosen_on": "validation",
        },
        "curve": history.curve,
        "question": question.id,
        "headline": question.headline,
        "metrics": {name: asdict(metric) for name, metric in question.metrics.items()},
        "cases": [
            {
                "case": test.case[i],
                "subject": test.subject[i],
                "group": test.group[i],
                "scores": {name: values[i] for name, values in scores.items()},
                **({"evidence": {name: v[i] for name, v in told.items()}} if told else {}),
            }
            for i in range(len(test))
        ],
        "notebook": None,
    }
    return record, panels


def can_be_scored(question: "Question", splits: "Splits", dataset: str) -> None:
    """Raises CourseError where no answer could have a headline score in any test case: where even
    the truth has none. Better before training than after."""
    if question.truth is None:
        return
    test, headline = splits.test, question.headline
    answer = question.truth(test.tensors, test.facts)
    if question.score(answer, test.tensors, test.facts)[headline].isnan().all():
        raise CourseError(
            f"{question.title}: {headline} is defined for none of the {len(test)} test cases of "
            f"{dataset}, not even for a perfect answer, so nothing was trained. "
            f"{headline}: {question.metrics[headline].text} The test needs cases that show what is "
            "asked for: objects or structures to find, and each class at least once."
        )
