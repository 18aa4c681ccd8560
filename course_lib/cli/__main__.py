"""`python -m course_lib.cli`: the program `course` where its script is not on the path."""

from course_lib.cli import main

main()
