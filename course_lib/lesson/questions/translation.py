"""The questions of the lesson on translation between modalities."""

from course_lib.lesson.quiz import Option, Question

QUESTIONS = (
    Question(
        "Histogram matching turns MR into CT badly, however well its curve is chosen. Why?",
        (
            Option(
                "Bone is dark in MR and bright in CT, and so is air, but dark in both.",
                "One MR value stands for two CT values; no curve can give both.",
                right=True,
            ),
            Option("MR has more noise than CT.", "Even without noise the curve would fail."),
            Option("The histograms have different numbers of bins.", "Bins can be chosen freely."),
        ),
    ),
    Question(
        "Training pairs lie a few millimetres beside each other, in random directions. What does "
        "a network with an L1 loss learn?",
        (
            Option("To undo the shift.", "It cannot know its direction from the source."),
            Option(
                "The median of all CTs that it was shown for such an MR: a blur.",
                "The loss is smallest there; bone becomes thin and faint.",
                right=True,
            ),
            Option("Nothing: training diverges.", "It converges, to something blurred."),
        ),
    ),
    Question(
        "A CycleGAN's two round trips end exactly where they began. Is its CT right?",
        (
            Option(
                "Yes: nothing was lost on the way.",
                "Nothing was lost, but it may have been moved and moved back.",
            ),
            Option(
                "Not necessarily: what one generator moves, the other can move back.",
                "A round trip says nothing of the place where it turned.",
                right=True,
            ),
            Option("No: a cycle loss of zero means overfitting.", "It may be perfectly honest."),
        ),
    ),
    Question(
        "What does a patch discriminator not see?",
        (
            Option("Texture and edges.", "They lie within a patch: this is what it sees best."),
            Option(
                "Whether the left half of the head fits the right half.",
                "The two never lie within one patch.",
                right=True,
            ),
            Option("Noise.", "Noise lies within any patch."),
        ),
    ),
    Question(
        "How could unpaired training be tested here at all?",
        (
            Option(
                "With hidden pairs: aligned, of other donors, seen by the scores only.",
                "In a clinic such pairs are rare, which is why phantoms and simulation matter.",
                right=True,
            ),
            Option("By the discriminator's score.", "It judges looks, and it can be fooled."),
            Option("By the cycle loss on test images.", "See the question on round trips."),
        ),
    ),
)
