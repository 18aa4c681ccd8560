"""The questions of the lesson on supervised registration and learned similarity."""

from course_lib.lesson.quiz import Option, Question

QUESTIONS = (
    Question(
        "A field u warps the moving image: warped(x) = moving(x + u(x)). At one pixel u = (0, 5), "
        "rows first. What is shown there?",
        (
            Option(
                "What lies five columns further right in the moving image.",
                "The pixel pulls: it looks at x + u(x).",
                right=True,
            ),
            Option("What lies five columns further left.", "That would be pushing the tissue."),
            Option("What lies five rows further down.", "The second number counts columns."),
        ),
    ),
    Question(
        "A network is trained on displacement fields that demons found. Can it be better than "
        "demons?",
        (
            Option(
                "Hardly: it learns their mistakes as if they were truth.",
                "Random errors average out a little, what demons always get wrong does not.",
                right=True,
            ),
            Option("Yes, networks are always better.", "Its loss is zero when it equals demons."),
            Option(
                "Yes, because it sees the images.",
                "It does, but no image appears in its loss: nothing tells it that demons erred.",
            ),
        ),
    ),
    Question(
        "Why is the squared difference useless between T1 and T2 images?",
        (
            Option("T2 has more noise.", "Noise would only raise it a little."),
            Option(
                "The same tissue is bright in one and dark in the other.",
                "The difference is smallest where unlike tissues of like brightness overlap.",
                right=True,
            ),
            Option("They have different pixel sizes.", "Here they have the same."),
        ),
    ),
    Question(
        "A deep metric is learnt from aligned pairs of patches. What makes it slow at test?",
        (
            Option("The network is large.", "It has fewer weights than those that answer fields."),
            Option(
                "Every pair is optimised anew, with hundreds of passes through the network.",
                "A network that answers the field needs one pass.",
                right=True,
            ),
            Option("It must be trained again for each pair.", "Its weights stay frozen."),
        ),
    ),
    Question(
        "In a picture from the front, which part of a pose is seen worst?",
        (
            Option("A shift to the side.", "It moves the whole shadow: seen best."),
            Option("A rotation in the plane.", "The shadow turns with it."),
            Option(
                "The depth, towards the camera.",
                "Ten millimetres closer change the size of the shadow by about one percent.",
                right=True,
            ),
        ),
    ),
    Question(
        "The test poses of this lesson are of the patient that the network was trained on. Is that "
        "honest?",
        (
            Option(
                "Yes, if it is said: such a network is made for one patient.",
                "The CT is taken before the operation. What must be new is the pose.",
                right=True,
            ),
            Option("No, it is always wrong.", "It would be for a network meant for all patients."),
            Option("Yes, and it shows that it works for others.", "That, nobody has tested."),
        ),
    ),
)
