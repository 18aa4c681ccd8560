"""The questions of the lesson on detection."""

from course_lib.lesson.quiz import Option, Question

QUESTIONS = (
    Question(
        "A detector finds 95 % of all nodules. Is it good?",
        (
            Option("Yes, 95 % is high.", "Boxes everywhere would find 100 %."),
            Option(
                "It depends on how many false alarms that costs.",
                "Which is what the FROC curve shows: one point alone says little.",
                right=True,
            ),
            Option("No, all must be found.", "Nobody finds all, and the cost matters as well."),
        ),
    ),
    Question(
        "Why is the hit of a small nodule not asked to have an IoU of 0.5 here?",
        (
            Option(
                "A box of five pixels a side that lies one pixel off both ways has an IoU of 0.47.",
                "16 of 34 pixels. The middle inside the nodule, or an IoU of 0.2, is asked for.",
                right=True,
            ),
            Option("IoU is only defined for large boxes.", "It is defined for every box."),
            Option("To make the numbers look better.", "It would be cheating if it were not said."),
        ),
    ),
    Question(
        "RetinaNet sees thousands of anchors for each one on a nodule. What does focal loss do?",
        (
            Option(
                "It leaves most of the background anchors out.",
                "Sampling does that. Focal loss keeps them all.",
            ),
            Option(
                "It turns down those that are already judged well.",
                "Many easy anchors no longer outweigh the few hard ones.",
                right=True,
            ),
            Option("It makes the anchors smaller.", "The loss does not change the anchors."),
        ),
    ),
    Question(
        "Why is a sliding window slow?",
        (
            Option(
                "Windows overlap, and each computes its convolutions anew.",
                "One- and two-stage detectors compute the maps of the image once.",
                right=True,
            ),
            Option("Its network is too large.", "It is the smallest one in this lesson."),
            Option("It sorts too many boxes.", "Sorting costs next to nothing."),
        ),
    ),
    Question(
        "A nodule's volume has grown by a quarter since the last scan. Does it grow fast?",
        (
            Option("Yes: a quarter is a lot.", "Within two years it would be slow growth."),
            Option("No: a quarter is little.", "Within a month it would be alarming."),
            Option(
                "That cannot be said without the dates.",
                "The doubling time is the lag over the number of doublings.",
                right=True,
            ),
        ),
    ),
)
