"""What the cards of CT reconstruction add to the methods' docstrings."""

from course_lib.lesson.cards import About

CARDS = {
    "fbp_conv_net": About(
        tex=r"\hat x = x_{\mathrm{FBP}} + U(x_{\mathrm{FBP}}), \qquad "
        r"L = \overline{(\hat x - x^*)^2}",
        claim="A U-Net removes the streaks of filtered back-projection.",
        metric="psnr",
        rival="fbp",
        question="The network never sees the sinogram. How could you check that its picture still "
        "agrees with what was measured?",
    ),
    "learned_primal_dual": About(
        tex=r"h \leftarrow h + \Gamma_i([h, \hat A x_2, y]), \qquad "
        r"x \leftarrow x + \Lambda_i([x, \hat A^{\mathsf T} h_1])",
        claim="Learnt iterations on raw data are better than cleaning the finished picture.",
        metric="psnr",
        rival="fbp_conv_net",
        question="Projector and back-projector stand inside the network. What happens to it on a "
        "scanner with another number of detectors?",
    ),
    "jsr_net": About(
        tex=r"L = \overline{(u - u^*)^2} + s\,(1 - \mathrm{SSIM}(u, u^*)) + "
        r"r\,\overline{(f - \hat A u^*)^2}",
        claim="Image and complete sinogram together are better than the image alone.",
        metric="psnr",
        rival="fbp_conv_net",
        question="The views that nobody measured are answered too. Would you show them to anybody?",
    ),
}
