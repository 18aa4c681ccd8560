"""Puts a store's leaderboards into the lessons, where learners compare their own runs with them.

Run `python benchmarks/ship_leaderboards.py RUNS [TASK ...]` after `course bench --store RUNS`. Of
each task (by default of all that have records) the profile `class` is written to
`course_lib/lesson/leaderboards/TASK.json`. A task with a failed job stops it.
"""

import argparse

from course_lib import catalogue
from course_lib.benchmark.downloads import compact
from course_lib.benchmark.grouping import latest
from course_lib.benchmark.leaderboard import sections
from course_lib.benchmark.store import Store, write_json
from course_lib.files import PACKAGE


def ship(store: Store, task: str) -> str:
    """Writes one task's file; says what is in it, or why nothing was written."""
    records = [r for r in store.records() if r["job"]["task"] == task]
    records = [r for r in latest(records) if r["job"]["profile"] == "class"]
    failed = sorted(r["job"]["method"] for r in records if r["status"] != "done")
    if failed:
        raise SystemExit(f"{task}: failed jobs of {', '.join(failed)}; run `course bench` again.")
    if not records:
        return f"{task}: no records"
    listed = list(catalogue.datasets(task))
    records.sort(key=lambda r: listed.index(r["job"]["dataset"]))
    seeds = len({r["job"]["seed"] for r in records})
    title = f"Benchmark, {seeds} seeds" if seeds > 1 else "Benchmark, one seed"
    methods = {e.id: e.describe() for e in catalogue.methods(task)}
    file = PACKAGE / "lesson" / "leaderboards" / f"{task}.json"
    write_json(file, compact(sections(records, methods), title))
    return (
        f"{task}: {len(records)} records, {len({r['job']['dataset'] for r in records})} data sets"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("store", help="folder of records")
    parser.add_argument("task", nargs="*", help="only these tasks")
    given = parser.parse_args()
    for name in given.task or catalogue.SECTIONS:
        print(ship(Store(given.store), name))
