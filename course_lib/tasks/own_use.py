"""What of the user's own data a question uses: as much as a profile's budget holds, and a sentence
that says so."""

from collections.abc import Mapping, Sequence

from course_lib.cases import subject_order

VERBS = {"train": "to train", "validation": "to validate", "test": "to test"}


def chosen(
    members: Mapping[str, Sequence[int]], subjects: Sequence[str], most: Mapping[str, int]
) -> dict[str, list[int]]:
    """Part → at most so many of its positions, subjects in the order of their hashes: which are
    used does not follow from how somebody numbered the files."""
    order = {who: place for place, who in enumerate(subject_order(subjects))}
    return {
        part: sorted(sorted(rows, key=lambda row: (order[subjects[row]], row))[: most[part]])
        for part, rows in members.items()
    }


def used(kept: Mapping[str, int], there: Mapping[str, int], things: str) -> str:
    """How many of the things that there are in each part are used.

    >>> used({"train": 60, "test": 20}, {"train": 120, "test": 20}, "volumes")
    'Used: 60 of 120 volumes to train, all 20 to test.'
    """
    said = []
    for part, count in kept.items():
        share = f"all {count}" if count == there[part] else f"{count} of {there[part]}"
        said.append(f"{share} {things + ' ' if not said else ''}{VERBS[part]}")
    return f"Used: {', '.join(said)}."


def millimetres(values: Sequence[float]) -> str:
    """Sides along z, y and x in words.

    >>> millimetres((2.5, 0.70001, 0.7))
    '2.5 x 0.7 x 0.7 mm'
    """
    return " x ".join(f"{value:.3g}" for value in values) + " mm"
