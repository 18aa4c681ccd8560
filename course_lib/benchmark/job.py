"""One job: (task, method, data set, profile, seed, options) → one record.

A job's key is a hash of everything that decides its result: the job itself, the source code it
runs through, the hashes of its data, the lesson's cells, torch's version and the kind of device.
"""

import hashlib
import json
import time
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib import catalogue
from course_lib.benchmark.cost import parameters, peak_memory_mb, versions
from course_lib.benchmark.identity import lesson_hash, sources
from course_lib.benchmark.panels import write_pictures
from course_lib.benchmark.store import Record, Store, write_json
from course_lib.cases import is_own
from course_lib.catalogue import outside, paces
from course_lib.code import code_hash
from course_lib.data import own, public
from course_lib.errors import CourseError, Refused

if TYPE_CHECKING:
    from course_lib.fit import Progress
    from course_lib.tasks.base import Plan, Question, Splits

SEEDS = 2**31  # what every library's generator takes
NOTE = "data: "
"""How a line begins that says what of the user's data a job uses."""


@dataclass(frozen=True)
class Job:
    """What to run."""

    task: str
    method: str
    dataset: str
    profile: str
    seed: int
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        options = "".join(f" {k}={v}" for k, v in self.options.items())
        return f"{self.task}/{self.method}{options} on {self.dataset}, {self.profile}, {self.seed}"

    @property
    def question(self) -> "Question":
        """What is asked; CourseError when the section has no such data set."""
        return catalogue.question(self.task, self.dataset)

    @property
    def built_with(self) -> dict[str, Any]:
        """The options that the method is made with: the profile's own, and over them the job's."""
        return catalogue.entry(self.method).options_in(self.profile) | self.options

    @property
    def plan(self) -> "Plan":
        """How long it trains; CourseError when there is no such profile."""
        return paces.plan(self.task, self.dataset, self.method, self.profile, self.options)

    def check(self) -> None:
        """Raises CourseError when the task, method, data set, profile, seed or an option does not
        exist or fit."""
        catalogue.section(self.task)
        entry, question = catalogue.entry(self.method), self.question
        if entry.section not in ("", self.task):
            raise CourseError(
                f"{self.method!r} is a method for {entry.section}, not for {self.task}. "
                f"`course methods --task {self.task}` lists those that fit."
            )
        question.plan(self.profile)
        if not catalogue.fits(entry, self.dataset):
            fitting = [
                name for name in catalogue.datasets(self.task) if catalogue.fits(entry, name)
            ]
            raise CourseError(
                f"{entry.name} answers another question than {self.dataset!r} asks; "
                f"its data sets are: {', '.join(fitting)}."
            )
        if not 0 <= self.seed < SEEDS:
            raise CourseError(f"A seed is a whole number from 0 to {SEEDS - 1}, not {self.seed}.")
        if self.built_with:
            catalogue.build(self.method, **self.built_with)

    def look(self) -> None:
        """Looks whether the data are here, and at data of the user's own as far as the smallest
        profile does: what does not fit is found out in seconds, with nothing trained.

        Raises Refused with the reason.
        """
        from course_lib.data import fetch

        if is_own(self.dataset):
            replace(self, profile="smoke").splits()
        for name in (*self.question.needs(self.dataset), *catalogue.entry(self.method).data):
            if not fetch.is_fetched(name):
                raise Refused(f"The data set {name} is not here. Run `course data fetch {name}`.")

    def splits(self) -> "Splits":
        """The job's cases; Refused when the data do not hold what the question asks for."""
        try:
            return self.question.make(self.dataset, self.profile, self.seed)
        except CourseError as error:
            raise Refused(str(error)) from error

    def sources(self) -> list[dict[str, str]]:
        """The registry's data sets behind this job, with hash and licence."""
        needed = (*self.question.needs(self.dataset), *catalogue.entry(self.method).data)
        if not is_own(self.dataset):
            return sources(needed)
        theirs = {
            "name": self.dataset,
            "sha256": own.fingerprint(self.dataset),
            "licence": public.licence(self.dataset) or "the user's own data",
        }
        return [theirs, *sources(needed)]

    def precision(self) -> str:
        """In what precision its losses are counted here."""
        from course_lib import device

        mixed = getattr(catalogue.method_class(self.method), "mixed", False)
        return device.precision(mixed, device.choose())

    def key(self) -> str:
        """SHA-256 of everything that decides the result."""
        from course_lib import device

        parts = {
            "job": asdict(self),
            "code": code_hash(*self.modules()),
            "data": self.sources(),
            "lesson": lesson_hash(catalogue.section(self.task).lesson),
            "torch": version("torch").split("+")[0],
            "device": device.choose().type,
            "steps": self.plan.steps,
            "options": self.built_with,
        }
        if (precision := self.precision()) != device.FULL:
            parts["precision"] = precision
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def modules(self) -> tuple[list[str], dict[str, Path]]:
        """The modules that compute the result, each with all that it imports; and where those of a
        method from outside lie."""
        entry = catalogue.entry(self.method)
        method, folders = outside.roots(entry) if entry.file else ((entry.module,), {})
        question = f"course_lib.tasks.{self.task}.{self.question.id}"
        reader = [f"course_lib.data.own.{own.reader(self.dataset)}"] if is_own(self.dataset) else []
        return ["course_lib.fit", question, *method, *reader], folders


def run_here(
    task: str,
    method: str,
    dataset: str,
    profile: str,
    seed: int,
    options: str | dict[str, Any] = "{}",
    store: str | Path = "runs",
    folder: str | Path | None = None,
) -> Record:
    """Runs one job in this process and returns its record; a finished job is read, not repeated.

    Arguments:
        options: the method's options, as JSON or a dict.
        store: the folder of records.
        folder: where to leave the record instead of the store (a sweep hands it over later).

    Raises CourseError when the job cannot exist or training fails.
    """
    options = json.loads(options) if isinstance(options, str) else dict(options)
    job = Job(task, method, dataset, profile, int(seed), options)
    job.check()
    if folder is not None:
        from course_lib.benchmark.clock import pulse

        # The sweep has a bar of its own; it is told how far this job is.
        return _run_into(job, Path(folder), pulse(job, Path(folder)))
    shelf = Store(store)
    if shelf.done(job.key()):
        return shelf.read(job.key())
    with shelf.writing(job.key()) as partial:
        return _run_into(job, partial)


def _run_into(job: Job, folder: Path, progress: "Progress" = True) -> Record:
    record, panels = compute(job, progress)
    record["pictures"] = write_pictures(panels, record["cases"], folder)
    return write_json(folder / "record.json", record)


def compute(job: Job, progress: "Progress" = True) -> tuple[Record, dict[str, Any]]:
    """Makes the cases, trains, predicts and scores. Returns the record and the panels."""
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
        plan=job.plan,
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
        "job": asdict(job),
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
        "versions": versions(),
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
