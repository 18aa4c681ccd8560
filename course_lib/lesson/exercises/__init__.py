"""The exercises of all lessons, by name; one file per lesson."""

from course_lib.lesson.exercises import denoising, reconstruction_ct, start

LESSONS = (start, denoising, reconstruction_ct)
EXERCISES = {each.id: each for lesson in LESSONS for each in lesson.EXERCISES}
