"""What a lesson is made of: exercises that check themselves, quizzes, figures, things to move.

A lesson needs these names, and none of them costs an import before it is used:

    from course_lib.lesson import dataset_here, exercise, quiz, show
"""

from course_lib.lesson import show
from course_lib.lesson.data import dataset_here
from course_lib.lesson.exercise import exercise
from course_lib.lesson.quiz import quiz

__all__ = ["dataset_here", "exercise", "quiz", "show"]
