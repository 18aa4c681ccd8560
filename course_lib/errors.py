"""The errors that people are meant to read."""


class CourseError(Exception):
    """Something the user can mend. The message says what is wrong, what was expected, and what to
    do next; the command line prints it without a traceback."""


class Refused(CourseError):
    """What was asked for cannot be done with these data: nothing was trained, nothing is kept."""
