"""The exercises of all lessons, by name; one file per lesson."""

from course_lib.lesson.exercises import denoising, reconstruction_ct, start, super_resolution

LESSONS = (start, denoising, super_resolution, reconstruction_ct)
EXERCISES = {each.id: each for lesson in LESSONS for each in lesson.EXERCISES}
