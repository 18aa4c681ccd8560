"""The questions of the lesson on segmentation."""

from course_lib.lesson.quiz import Option, Question

QUESTIONS = (
    Question(
        "A structure fills 0.1% of the pixels. A network answers 'background' everywhere. How many "
        "pixels are right, and what is the Dice?",
        (
            Option("99.9% and 0.999", "Dice does not count background pixels at all."),
            Option(
                "99.9% and 0",
                "Nothing of the structure was found. That is why accuracy says so little here.",
                right=True,
            ),
            Option("0.1% and 0", "The background is right, and it is nearly everything."),
        ),
    ),
    Question(
        "What does FCN-8s have that FCN-32s has not?",
        (
            Option("More poolings.", "Both have five, and the same encoder."),
            Option(
                "Class scores from two earlier poolings, added to the coarse ones.",
                "They know where; the coarse ones know what.",
                right=True,
            ),
            Option(
                "Features of the encoder, concatenated in the decoder.", "That is the U-Net's way."
            ),
        ),
    ),
    Question(
        "In the combo loss β is raised from 0.5 to 0.8. What happens?",
        (
            Option(
                "Fewer misses, more false alarms.",
                "β weighs the term of the structure's own pixels.",
                right=True,
            ),
            Option("More misses, fewer false alarms.", "That is what a small β does."),
            Option("Fewer of both.", "Errors are exchanged, not removed."),
        ),
    ),
    Question(
        "Two outlines have Dice 0.9 each. One is a little too large all around; the other has a "
        "spike that reaches 30 mm into the neighbour. Which number tells them apart?",
        (
            Option("None.", "Dice alone does not. Distances do."),
            Option(
                "The Hausdorff distance, the largest one.",
                "Dice counts area. (The 95th percentile may overlook a spike of under 5% of the "
                "outline.)",
                right=True,
            ),
            Option("The share of right pixels.", "It counts area as Dice does."),
        ),
    ),
    Question(
        "The default heads of this lesson: what was measured, what simulated?",
        (
            Option(
                "The picture was measured, the labels come from a model.",
                "That describes the chest organs. Here it is the other way round.",
            ),
            Option(
                "The anatomy of six donors was measured; pictures and deformations are simulated.",
                "So the labels are exactly right, and the pictures only as good as the physics.",
                right=True,
            ),
            Option("Nothing is real.", "Folds and nuclei are those of six people."),
        ),
    ),
)
