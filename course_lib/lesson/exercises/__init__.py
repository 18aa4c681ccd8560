"""The exercises of all lessons, by name; one file per lesson."""

from course_lib.lesson.exercises import denoising, start

EXERCISES = {each.id: each for each in (*start.EXERCISES, *denoising.EXERCISES)}
