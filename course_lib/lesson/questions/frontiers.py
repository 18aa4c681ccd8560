"""The questions of the lesson on the frontiers."""

from course_lib.lesson.quiz import Option, Question

QUESTIONS = (
    Question(
        "A hospital tests a network on a random tenth of the images that it was built from, which "
        "come from four scanners. What does that say about a fifth scanner?",
        (
            Option("The same will hold there.", "The fifth scanner was in neither part."),
            Option(
                "Nothing: training and test saw the same four scanners.",
                "A split by scanner would have asked the question; a random one hides it.",
                right=True,
            ),
            Option("It will be worse by a tenth.", "Nothing in the numbers says by how much."),
        ),
    ),
    Question(
        "On a new scanner the network is 95% certain of its answers and right in 70%. What is that "
        "called?",
        (
            Option("Overfitting.", "That may be the cause. The gap itself has another name."),
            Option(
                "Miscalibration: its certainty promises more than it keeps.",
                "And nobody notices without labels from the new scanner.",
                right=True,
            ),
            Option("A low AUC.", "AUC knows ranks only. It may even be perfect here."),
        ),
    ),
    Question(
        "A saliency map looks just the same after the network's weights were replaced by random "
        "numbers. What was it showing?",
        (
            Option(
                "Mostly the image itself, its edges for example.",
                "What does not depend on the weights cannot explain what they have learnt.",
                right=True,
            ),
            Option("What the network has learnt.", "That was just thrown away."),
            Option("The nodule.", "Perhaps, but not because the network had found it."),
        ),
    ),
    Question(
        "In training, nearly all images with a nodule also show a marker. A map for the trained "
        "network lights up at the marker. What now?",
        (
            Option("The map is broken.", "It shows what the network uses. That is the bad news."),
            Option(
                "The network has learnt the marker, and will fail where it is missing.",
                "The map did its work. The data must be repaired.",
                right=True,
            ),
            Option("Nothing: its test scores are high.", "While the marker is in the test too."),
        ),
    ),
    Question(
        "A class activation map finds the nodule in most images. Is it an outline?",
        (
            Option(
                "No: it shows where evidence lies, coarsely, and often only part of the object.",
                "A label says that something is there, never how far it reaches.",
                right=True,
            ),
            Option("Yes, above a threshold.", "Then the outline would depend on the threshold."),
            Option("Yes, if the AUC is high.", "One can classify perfectly from a nodule's rim."),
        ),
    ),
)
