"""The questions of the lesson on reconstruction ct."""

from course_lib.lesson.quiz import Option, Question

QUESTIONS = (
    Question(
        "A scan has a view every 12 degrees. The photons are multiplied by a hundred. What "
        "happens to the streaks of filtered back-projection?",
        (
            Option("They vanish.", "Noise would. Streaks come from views that are not there."),
            Option(
                "They stay.",
                "Between two views nothing was measured, at any dose.",
                right=True,
            ),
            Option("They grow.", "They only stand out more, because the noise has gone."),
        ),
    ),
    Question(
        "Why does plain back-projection, without the ramp filter, give a blur?",
        (
            Option(
                "All views overlap near a point, so slow waves are counted too often.",
                "Their density falls with one over the frequency; the ramp is its inverse.",
                right=True,
            ),
            Option("The detectors are too wide.", "That blurs too, but a little, everywhere."),
            Option("Photon noise smooths the image.", "Noise roughens it. It was not simulated."),
        ),
    ),
    Question(
        "30 views of 182 detectors, an image of 128 x 128 pixels. What does that mean?",
        (
            Option(
                "Exactly one image fits the data.",
                "There are 5,460 numbers for 16,384 unknowns.",
            ),
            Option("No image fits the data.", "Up to noise, very many do. That is the difficulty."),
            Option(
                "Many images fit; a prior must choose among them.",
                "Total variation prefers few edges, a network what it has seen in training.",
                right=True,
            ),
        ),
    ),
    Question(
        "What is the inverse crime?",
        (
            Option(
                "To show the test slices to the network.",
                "A crime too, with another name: leakage.",
            ),
            Option(
                "To simulate and reconstruct with the same grid and matrix.",
                "Then the model is exactly right, as it never is for a real scanner.",
                right=True,
            ),
            Option("To invert a matrix that has no inverse.", "Impossible, but not forbidden."),
        ),
    ),
    Question(
        "A network's image agrees with the sinogram within the noise. Is it right?",
        (
            Option(
                "Yes: it explains everything that was measured.",
                "So do many other images, with few views.",
            ),
            Option(
                "Not necessarily: what the views do not determine was guessed.",
                "Agreement is necessary. A nodule between the views would not disturb it.",
                right=True,
            ),
            Option(
                "No: networks always invent.",
                "They always guess where data are silent. A guess can be right.",
            ),
        ),
    ),
)
