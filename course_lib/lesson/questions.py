"""The questions of all quizzes: what one should be able to say after a lesson."""

from course_lib.lesson.quiz import Option, Question

QUESTIONS = {
    "denoising": (
        Question(
            "The dose is cut to a quarter. What happens to the noise of a ray, roughly?",
            (
                Option(
                    "It stays: the detector is the same.", "The detector is; the counts are not."
                ),
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
                Option(
                    "Bone emits radiation.", "Bone only absorbs; that is what leaves few photons."
                ),
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
                Option(
                    "All of them.", "No patient was scanned twice for us. One would need to be."
                ),
                Option("None.", "The anatomy is real, with its real texture and calibration."),
            ),
        ),
        Question(
            "A network is trained with the mean squared error. Where a detail could be one of two "
            "things, what does the best such network draw?",
            (
                Option(
                    "The likelier one.", "That would minimise the chance of being wrong at all."
                ),
                Option(
                    "Their average.",
                    "The mean minimises squared error. That is why noise texture is smoothed away.",
                    right=True,
                ),
                Option(
                    "A random one of the two.", "A generator with a critic comes closer to that."
                ),
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
    ),
    "super_resolution": (
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
    ),
    "reconstruction_ct": (
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
                Option(
                    "Photon noise smooths the image.", "Noise roughens it. It was not simulated."
                ),
            ),
        ),
        Question(
            "30 views of 182 detectors, an image of 128 x 128 pixels. What does that mean?",
            (
                Option(
                    "Exactly one image fits the data.",
                    "There are 5,460 numbers for 16,384 unknowns.",
                ),
                Option(
                    "No image fits the data.", "Up to noise, very many do. That is the difficulty."
                ),
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
    ),
}
