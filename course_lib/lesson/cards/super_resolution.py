"""What the cards of super-resolution add to the methods' docstrings."""

from course_lib.lesson.cards import About

CARDS = {
    "srcnn": About(
        tex=r"\hat x = W_3 * \mathrm{ReLU}(W_2 * \mathrm{ReLU}(W_1 * x_\uparrow))",
        claim="Three learnt convolutions sharpen better than interpolation.",
        metric="psnr",
        rival="bicubic",
        question="The network works on the enlarged picture. How many of its multiplications "
        "could be saved with a factor of 3, and which later network saves them?",
    ),
    "espcn": About(
        tex=r"\hat x = \mathrm{shuffle}_r(W_3 * \mathrm{ReLU}(W_2 * \mathrm{ReLU}(W_1 * x)))",
        claim="Computing on the coarse grid costs no quality against SRCNN.",
        metric="psnr",
        rival="srcnn",
        question="Neighbouring output pixels come from different channels. Which pattern would "
        "you look for in the picture if these channels do not agree?",
    ),
    "recnn_3d": About(
        tex=r"\hat x = x_\uparrow + f(x_\uparrow), \qquad L = \overline{(\hat x - y)^2}",
        claim="A residual network in 3D is better than plane by plane.",
        metric="psnr",
        rival="srcnn",
        question="Slices are thicker than pixels are wide. In which direction should a third "
        "dimension help most?",
    ),
    "csn": About(
        tex=r"m = \tfrac12 (a + d), \qquad a' = R(a) + m, \qquad d' = D(d) + m",
        claim="Split channels, residual and dense, are better than a plain network.",
        metric="psnr",
        rival="srcnn",
        question="Both halves are given the mean of what came in. What would change if each kept "
        "its own?",
    ),
}
