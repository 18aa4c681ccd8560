"""The questions of all quizzes, one file per lesson: what one should be able to say after it."""
