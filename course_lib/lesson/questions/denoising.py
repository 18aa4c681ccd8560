"""The questions of the lesson on denoising."""

from course_lib.lesson.quiz import Option, Question

QUESTIONS = (
    Question(
        "The dose is cut to a quarter. What happens to the noise of a ray, roughly?",
        (
            Option("It stays: the detector is the same.", "The detector is; the counts are not."),
            Option(
                "It doubles.",
                "Its standard deviation goes with one over the square root of the photons.",
                right=True,
            ),
            Option("It grows fourfold.", "The variance does. Noise is quoted as its root."),
        ),
    ),
    Question(
        "Why are there streaks along the shoulders of a low-dose chest CT?",
        (
            Option(
                "Long rays through bone let few photons pass, so their noise is largest.",
                "And back-projection smears each noisy ray over its whole line.",
                right=True,
            ),
            Option("The patient moved.", "Motion makes streaks too, but these move with dose."),
            Option("Bone emits radiation.", "Bone only absorbs; that is what leaves few photons."),
        ),
    ),
    Question(
        "Which pixels in this lesson did a scanner measure?",
        (
            Option(
                "The low-dose scans.",
                "They are simulated: projection, Poisson draw and back-projection.",
            ),
            Option(
                "The HU of the patients; both scans of them are simulated.",
                "So input and target share one real anatomy and differ only in dose.",
                right=True,
            ),
            Option("All of them.", "No patient was scanned twice for us. One would need to be."),
            Option("None.", "The anatomy is real, with its real texture and calibration."),
        ),
    ),
    Question(
        "A network is trained with the mean squared error. Where a detail could be one of two "
        "things, what does the best such network draw?",
        (
            Option("The likelier one.", "That would minimise the chance of being wrong at all."),
            Option(
                "Their average.",
                "The mean minimises squared error. That is why noise texture is smoothed away.",
                right=True,
            ),
            Option("A random one of the two.", "A generator with a critic comes closer to that."),
        ),
    ),
    Question(
        "Two denoisers: A has the higher PSNR, B the smaller distance of noise power spectra. "
        "Which is better?",
        (
            Option("A: PSNR is the standard.", "It is the habit. A blurred image can win it."),
            Option("B: it looks like a real scan.", "Looking real is not being right."),
            Option(
                "It depends on the reader's task; show both numbers.",
                "Neither says whether a nodule is still found. That needs a detection study.",
                right=True,
            ),
        ),
    ),
)
