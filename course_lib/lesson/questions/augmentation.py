"""The questions of the lesson on augmentation."""

from course_lib.lesson.quiz import Option, Question

QUESTIONS = (
    Question(
        "Which change of a lung nodule's patch may spoil its label?",
        (
            Option("Mirroring it.", "A mirrored nodule is as benign or malignant as before."),
            Option(
                "Doubling its size.",
                "Size is the strongest sign of malignancy. The label would have to change too.",
                right=True,
            ),
            Option("Adding a little noise.", "That is a scan with less dose of the same nodule."),
        ),
    ),
    Question(
        "The generator's loss is -log σ(D(G(z))) instead of log(1 - σ(D(G(z)))). Why?",
        (
            Option(
                "At first the discriminator sees through everything, and the slope of the other "
                "one is then nearly zero.",
                "Both want the same; only one of them pushes when the generator is bad.",
                right=True,
            ),
            Option("It makes the pictures sharper.", "It decides how fast one learns, no more."),
            Option("It prevents mode collapse.", "It does not; nothing in this loss asks for all."),
        ),
    ),
    Question(
        "A class-wise GAN learns from 50 malignant nodules. What do its pictures tell the "
        "classifier that the 50 did not?",
        (
            Option("What other malignant nodules look like.", "It has never seen any others."),
            Option(
                "Nothing about patients; at best, a smooth way between the 50.",
                "That can help as classic changes help, and it can mislead.",
                right=True,
            ),
            Option("The truth about the 50.", "The labels it had already."),
        ),
    ),
    Question(
        "Two halves of the same set of real pictures, 50 each: their Fréchet distance is 3, their "
        "kernel distance 0.0. What has happened?",
        (
            Option("The halves differ.", "The kernel distance would see it."),
            Option(
                "The Fréchet distance is biased for small sets.",
                "By about a constant over the number of pictures. Compare at equal numbers only.",
                right=True,
            ),
            Option("The kernel distance is blind.", "It is not; its mean over draws is right."),
        ),
    ),
    Question(
        "With made pictures, the AUC is 0.945 instead of 0.940. Another seed gives 0.930 and "
        "0.944. What can be said?",
        (
            Option("Made pictures help.", "One seed says so, the other does not."),
            Option("Made pictures harm.", "Also from one seed."),
            Option(
                "The difference is smaller than the noise of the seeds.",
                "More seeds and more test patients are needed, not another adjective.",
                right=True,
            ),
        ),
    ),
    Question(
        "AnoGAN gives a patch with a nodule a high score. Because it knows nodules?",
        (
            Option("Yes, it was trained on them.", "It has only ever seen healthy lung."),
            Option(
                "No: because its generator cannot draw one.",
                "So anything else that it cannot draw scores high too, such as a rare vessel.",
                right=True,
            ),
            Option("No: the discriminator says fake.", "Its features are used, not its verdict."),
        ),
    ),
)
