"""The questions of the lesson on unsupervised registration."""

from course_lib.lesson.quiz import Option, Question

QUESTIONS = (
    Question(
        "What does VoxelMorph's training need besides pairs of images?",
        (
            Option("True displacement fields.", "Those of supervised regression."),
            Option(
                "Organ labels.",
                "The same paper has a variant that uses them in training; this one does not.",
            ),
            Option(
                "Nothing.",
                "Its loss compares the warped with the fixed image and asks for smoothness.",
                right=True,
            ),
        ),
    ),
    Question(
        "The Jacobian determinant at a pixel is -0.2. What does that say?",
        (
            Option("The tissue shrinks to a fifth.", "A determinant of 0.2 would say that."),
            Option(
                "The map folds: tissue is turned inside out.",
                "No body does this. The sign is what counts.",
                right=True,
            ),
            Option("The pixel moves 0.2 to the left.", "It says nothing about how far it moves."),
        ),
    ),
    Question(
        "Smoothness is switched off, and the warped image looks more like the fixed one than "
        "before. Is the registration better?",
        (
            Option("Yes, that is what was asked for.", "The loss asked for it. We did not."),
            Option(
                "Not necessarily: many wrong fields give the same picture.",
                "Where tissue is uniform, brightness says nothing about where it came from.",
                right=True,
            ),
            Option("No, it can never be.", "Too much smoothness is wrong as well."),
        ),
    ),
    Question(
        "A field from A to B and one from B to A are each smooth. Are they inverse to one another?",
        (
            Option("Always.", "Two networks, or two passes, know nothing of one another."),
            Option(
                "Only if something ties them: a term in the loss, or one velocity for both.",
                "ICNet has the term; diffeomorphic methods integrate forward and backward.",
                right=True,
            ),
            Option("If neither folds.", "Then each has an inverse, which need not be the other."),
        ),
    ),
    Question(
        "Two methods have equal Dice. One folds in 3 % of the voxels. Which do you use to measure "
        "how much a hippocampus has shrunk?",
        (
            Option("Either, Dice is equal.", "Dice sees outlines, not what happens inside."),
            Option(
                "The one that does not fold.",
                "Shrinkage is read from the determinant, and that is nonsense where it folds.",
                right=True,
            ),
            Option("The one that folds, it is more flexible.", "Flexible enough to be wrong."),
        ),
    ),
)
