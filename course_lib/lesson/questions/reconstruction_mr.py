"""The questions of the lesson on MR reconstruction."""

from course_lib.lesson.quiz import Option, Question

QUESTIONS = (
    Question(
        "A scan measures every second line of k-space, evenly spaced. What does the zero-filled "
        "picture show?",
        (
            Option(
                "The head and a copy of it, moved by half the field of view.",
                "Even gaps fold the picture onto itself. Random gaps smear the copies instead.",
                right=True,
            ),
            Option("A blurred head.", "That is what missing high frequencies do."),
            Option("A head with white noise.", "Random points look like that; even lines do not."),
        ),
    ),
    Question(
        "Only the middle tenth of k-space is measured, in full. What is lost?",
        (
            Option("The contrast of large areas.", "It sits in the middle, so it is kept."),
            Option(
                "Fine detail, and edges ring.",
                "High frequencies are missing: blur, and Gibbs ripples beside edges.",
                right=True,
            ),
            Option("One half of the picture.", "Every sample of k-space holds all of the picture."),
        ),
    ),
    Question(
        "A network cleans the zero-filled picture. Then the measured samples are put back. What "
        "can the network still spoil?",
        (
            Option("Nothing.", "It was free to draw whatever the missing samples allow."),
            Option(
                "Whatever lies in samples that were not measured.",
                "There it may be right, wrong, or make things up; nobody measured it.",
                right=True,
            ),
            Option("The measured samples.", "Those were put back, exactly."),
        ),
    ),
    Question(
        "The data are noisy. Should samples be put back exactly as measured?",
        (
            Option("Yes, always.", "Then their noise comes back with them."),
            Option(
                "No: weigh them against the network's estimate.",
                "Schlemper's layer mixes both; how far it trusts the data can be learnt.",
                right=True,
            ),
            Option("No: ignore them.", "Then nothing ties the picture to the patient."),
        ),
    ),
    Question(
        "DAGAN draws a sharp little vessel. How would you find out whether it is there?",
        (
            Option("It is sharp, so it is there.", "Sharpness is what a discriminator asks for."),
            Option("Its PSNR is high.", "One vessel hardly moves the PSNR of a whole head."),
            Option(
                "Compare with the fully sampled scan, or at least with the measured samples.",
                "The error map shows it; data consistency would have limited it.",
                right=True,
            ),
        ),
    ),
)
