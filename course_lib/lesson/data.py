"""Which data set a lesson uses where not all of them may be, or have been, fetched."""


def dataset_here(section: str) -> str:
    """The first data set of a section whose sources are all fetched.

    So a lesson also runs without the set that is not for commercial use. If none is complete, the
    section's first one: its loader then says what to fetch.
    """
    from course_lib import catalogue
    from course_lib.data import fetch

    sources = catalogue.datasets(section)
    complete = (name for name, needed in sources.items() if all(map(fetch.is_fetched, needed)))
    return next(complete, next(iter(sources)))
