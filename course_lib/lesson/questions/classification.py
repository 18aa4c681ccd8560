"""The questions of the lesson on classification."""

from course_lib.lesson.quiz import Option, Question

QUESTIONS = (
    Question(
        "A classifier's AUC is 0.9. What does that promise?",
        (
            Option("It is right in 90% of the cases.", "That would be accuracy at some threshold."),
            Option(
                "Of a suspicious and a benign nodule it ranks the suspicious one higher in 90% of "
                "all pairs.",
                "That is what you wrote in the exercise. It needs no threshold.",
                right=True,
            ),
            Option(
                "A probability of 0.9 is right nine times in ten.",
                "That is calibration. Squaring all probabilities would spoil it and leave the AUC "
                "as it is.",
            ),
        ),
    ),
    Question(
        "In a clinic one nodule in a hundred is malignant; the test set had four in ten. The "
        "threshold stays. What changes?",
        (
            Option("The sensitivity.", "It only looks at malignant cases, however many."),
            Option("The AUC.", "Pairs of one and one: prevalence does not enter."),
            Option(
                "How many of the alarms are true.",
                "With few malignant cases most alarms come from benign ones.",
                right=True,
            ),
        ),
    ),
    Question(
        "You have 500 radiomic features of 60 patients. When may features be selected?",
        (
            Option(
                "Before the cross-validation, on all patients.",
                "Then the held-out patients have helped to choose: chance correlations pass for "
                "knowledge.",
            ),
            Option(
                "In each fold, on its training patients only.",
                "Selection is part of the training.",
                right=True,
            ),
            Option(
                "On the test patients, because they are new.",
                "What has chosen the features cannot judge them.",
            ),
        ),
    ),
    Question(
        "Frozen features of a network with random weights reach an AUC of 0.85. What follows for "
        "ImageNet features that reach 0.88?",
        (
            Option("They are useless.", "They are better; the question is by how much."),
            Option(
                "Only the difference of 0.03 is owed to the photographs, and it has an interval.",
                "Size and density pass through any filters. That is why the control is there.",
                right=True,
            ),
            Option(
                "Transfer works: 0.88 is far above chance.",
                "Chance is not the right comparison when the architecture alone gives 0.85.",
            ),
        ),
    ),
    Question(
        "A curriculum gains 0.01 in AUC over uniform drawing. So does the random order with the "
        "same pace. What helped?",
        (
            Option("The order from easy to hard.", "The random order has none."),
            Option(
                "The growing pool, or chance.",
                "The control shares everything but the order.",
                right=True,
            ),
            Option("More training steps.", "All had the same number."),
        ),
    ),
)
