"""The exercises of all lessons, by name; one file per lesson."""

from course_lib.lesson.exercises import denoising, start, super_resolution

EXERCISES = {
    each.id: each for each in (*start.EXERCISES, *denoising.EXERCISES, *super_resolution.EXERCISES)
}
