"""Where a section's numbers come from: its jobs with their commands and notebooks, data, versions,
machines."""

import json
import shlex
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from course_lib.benchmark import masking, wording
from course_lib.benchmark.boards import Section
from course_lib.benchmark.grouping import Record, slug
from course_lib.benchmark.store import Store, beside
from course_lib.cases import is_own

Methods = Mapping[str, Mapping[str, Any]]
LARGEST_NOTEBOOK = 3 * 2**20  # bytes; larger ones stay in the store


def command(record: Record) -> str:
    """The command that runs a record's job again."""
    job = record["job"]
    words = ["course", "run", job["task"], job["method"], "--dataset", job["dataset"]]
    profile, mark, steps = job["profile"].partition("@")
    words += ["--profile", profile, *(["--steps", steps] if mark else [])]
    words += ["--seed", str(job["seed"])]
    for name, value in sorted((job.get("options") or {}).items()):
        words += ["--option", f"{name}={json.dumps(value)}"]
    return shlex.join(words)


def name(record: Record, methods: Methods) -> str:
    """A job's method for people."""
    method = record["job"]["method"]
    return methods.get(method, record.get("about", {"name": method}))["name"]


def jobs(
    section: Section, store: Store, folder: Path, methods: Methods, names: bool
) -> list[dict[str, Any]]:
    """One entry per finished job, with its notebook copied beside the page; not where it would
    give away whose images the user has."""
    found = []
    for record in section.done:
        job, settings = record["job"], record["settings"]
        notebook = None
        source = beside(store.place(record["key"]), record.get("notebook"))
        if source and (names or not is_own(job["dataset"])):
            file = f"{slug(job['task'], job['method'])}-{record['key'][:12]}.ipynb"
            notebook = _copied(source, folder / "notebooks" / file, names)
        chosen = ", ".join(f"{k} = {v}" for k, v in settings["chosen"].items())
        found.append(
            {
                "name": name(record, methods),
                "record": record,
                "command": command(record),
                "notebook": notebook,
                "chosen": chosen,
                "candidates": settings["candidates"],
                "chosen_on": settings["chosen_on"],
            }
        )
    return found


def _copied(source: Path, target: Path, names: bool) -> str | None:
    """Copies a notebook of a job into the report, without the machine's folders unless `names`;
    None for one that is too large or cannot be read."""
    if source.stat().st_size > LARGEST_NOTEBOOK:
        return None
    if names:
        shutil.copyfile(source, target)
    else:
        try:
            content = masking.notebook(json.loads(source.read_text("utf-8")))
        except ValueError:
            return None
        target.write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")
    return f"{target.parent.name}/{target.name}"


def origins(section: Section) -> dict[str, Any]:
    """What was measured and simulated, from which data, by which software and machines."""
    done = section.done
    data = {(d["name"], d["sha256"], d["licence"]): d for r in done for d in r["data"]}
    versions: dict[str, list[str]] = {}
    for record in done:
        for name, version in record["versions"].items():
            known = versions.setdefault(name, [])
            if version and version not in known:
                known.append(version)
    restricted = sorted({d["name"] for d in data.values() if wording.non_commercial(d["licence"])})
    return {
        "notes": list(dict.fromkeys(note for r in done for note in r.get("notes", ()))),
        "provenance": list(dict.fromkeys(p for r in done for p in r["provenance"].items())),
        "data": list(data.values()),
        "versions": versions,
        "machines": Counter(wording.machine(record) for record in done).most_common(),
        "restricted": restricted,
    }
