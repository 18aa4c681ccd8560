"""One job: (task, method, data set, profile, seed, options) → one record.

A job's key is a hash of everything that decides its result: the job itself, the source code it
runs through and the versions of the libraries that this imports, the hashes of its data, the
lesson's cells, the kind of device, and the number of threads where it is not one.
"""

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib import catalogue, unchanged
from course_lib.benchmark.identity import lesson_hash, sources
from course_lib.benchmark.panels import write_pictures
from course_lib.benchmark.store import Record, Store, write_json
from course_lib.cases import is_own
from course_lib.catalogue import outside, paces
from course_lib.code import code_hash, followed, library_versions
from course_lib.data import own, public
from course_lib.errors import CourseError, Refused
from course_lib.threads import MOST, asked

if TYPE_CHECKING:
    from course_lib.fit import Progress
    from course_lib.tasks.base import Plan, Question, Splits

SEEDS = 2**31  # what every library's generator takes
RUNNING = tuple(
    f"course_lib.{name}"
    for name in (
        *("benchmark.compute", "benchmark.job", "benchmark.panels", "catalogue"),
        *("catalogue.paces", "code", "device", "threads"),
    )
)
"""Modules that every job goes through, beside those that its key follows."""
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
    threads: int = 1

    def __str__(self) -> str:
        options = "".join(f" {k}={v}" for k, v in self.options.items())
        many = f", {self.threads} threads" if self.threads > 1 else ""
        where = f"{self.dataset}, {self.profile}, {self.seed}{many}"
        return f"{self.task}/{self.method}{options} on {where}"

    def describe(self) -> dict[str, Any]:
        """The job in keys and records: the number of threads only where it is not one."""
        said = asdict(self)
        if self.threads == 1:
            del said["threads"]
        return said

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
        if not 1 <= self.threads <= MOST:
            raise CourseError(
                f"A job takes 1 to {MOST} threads of the processor, not {self.threads}."
            )
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
            "job": self.describe(),
            "code": code_hash(*self.modules()),
            "libraries": library_versions(*self.modules()),
            "data": self.sources(),
            "lesson": lesson_hash(catalogue.section(self.task).lesson),
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

    def changed(self) -> list[str]:
        """What of the code that computes the result is other in memory than on disk, by name."""
        return unchanged.changed([*RUNNING, *followed(*self.modules())])


def run_here(
    task: str,
    method: str,
    dataset: str,
    profile: str,
    seed: int,
    options: str | dict[str, Any] = "{}",
    store: str | Path = "runs",
    folder: str | Path | None = None,
    threads: int | None = None,
) -> Record:
    """Runs one job in this process and returns its record; a finished job is read, not repeated.

    Arguments:
        options: the method's options, as JSON or a dict.
        store: the folder of records.
        folder: where to leave the record instead of the store (a sweep hands it over later).
        threads: of the processor; by default `$COURSE_THREADS`, else 1.

    Raises CourseError when the job cannot exist or training fails.
    """
    options = json.loads(options) if isinstance(options, str) else dict(options)
    threads = asked() if threads is None else threads
    job = Job(task, method, dataset, profile, int(seed), options, threads)
    job.check()
    if folder is not None:
        from course_lib.benchmark.clock import pulse
        from course_lib.benchmark.workers import ask_for

        ask_for("SIGKILL")  # whatever it is busy with when its worker is killed
        # The sweep has a bar of its own; it is told how far this job is.
        return _run_into(job, Path(folder), pulse(job, Path(folder)))
    shelf = Store(store)
    if not job.changed() and shelf.done(job.key()):
        return shelf.read(job.key())
    with shelf.writing() as partial:
        record = _run_into(job, partial)
    if record.get("patched"):
        print(
            f"The course's code was changed in memory ({_listed(record['patched'])}). This result "
            "is kept apart from those of the method as it is, and no report shows it. Restart the "
            "kernel for those."
        )
    return record


def _run_into(job: Job, folder: Path, progress: "Progress" = True) -> Record:
    from course_lib.benchmark.compute import compute

    before = job.changed()
    record, panels = compute(job, progress)
    record["pictures"] = write_pictures(panels, record["cases"], folder)
    # Afterwards too: files may have been edited in the meantime, and what was changed undone.
    if patched := list(dict.fromkeys([*before, *job.changed()])):
        apart = f"{record['key']} {secrets.token_hex(16)}"
        record |= {"patched": patched, "key": hashlib.sha256(apart.encode()).hexdigest()}
    return write_json(folder / "record.json", record)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
