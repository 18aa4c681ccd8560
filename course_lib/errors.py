"""The one error that people are meant to read."""


class CourseError(Exception):
    """Something the user can mend. The message says what is wrong, what was expected, and what to
    do next; the command line prints it without a traceback."""
