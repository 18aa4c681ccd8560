"""The questions of the lesson on super resolution."""

from course_lib.lesson.quiz import Option, Question

QUESTIONS = (
    Question(
        "A CT slice is enlarged by cubic splines. What do they add to what was measured?",
        (
            Option(
                "Detail finer than the coarse pixels.",
                "They only guess smooth values between samples.",
            ),
            Option(
                "Nothing: they are a smooth guess between the samples.",
                "Frequencies that were lost stay lost, or come back as false ones.",
                right=True,
            ),
            Option("Noise.", "They pass noise on, but add none."),
        ),
    ),
    Question(
        "Why does ESPCN compute faster than SRCNN?",
        (
            Option(
                "Its convolutions work on the coarse grid.",
                "With factor 3 there are nine times fewer pixels to convolve.",
                right=True,
            ),
            Option("It has fewer layers.", "Both have three."),
            Option("It needs no training.", "It learns as SRCNN does."),
        ),
    ),
    Question(
        "A paper trains and tests on bicubic downsampling and reports +2 dB. What does that "
        "say about images from a scanner?",
        (
            Option("They will gain 2 dB.", "Only if the scanner blurs like an image editor."),
            Option(
                "They will gain more: scanners are better.",
                "The network undoes the loss that it knows. A scanner's loss is another one.",
            ),
            Option(
                "Little, until it is tested on the scanner's own loss of detail.",
                "The degradation is part of what the network learns.",
                right=True,
            ),
        ),
    ),
    Question(
        "ReCNN sees a volume that was interpolated first. What does it win by that?",
        (
            Option("Speed.", "It computes on the fine grid, which is slower."),
            Option(
                "One network can serve several factors.",
                "Its input always lies on the fine grid, whatever the factor was.",
                right=True,
            ),
            Option("Sharper edges at the start.", "Interpolation gives the same in 2D."),
        ),
    ),
)
