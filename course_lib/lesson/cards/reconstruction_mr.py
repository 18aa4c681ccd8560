"""What the cards of MR reconstruction add to the methods' docstrings."""

from course_lib.lesson.cards import About

CARDS = {
    "aliasing_unet": About(
        tex=r"\hat x = |x_{\mathrm{zf}}| - U(|x_{\mathrm{zf}}|)",
        claim="To learn the aliasing and subtract it repairs the picture.",
        metric="psnr",
        rival="zero_filled",
        question="If the sampling pattern changes, does the picture change, or the artefact? Which "
        "of the two has the network learnt?",
    ),
    "deep_cascade": About(
        tex=r"x \leftarrow x + C_k(x), \qquad \hat x \leftarrow \hat x + M\,(y - \hat x)\,"
        r"\frac{v}{1 + v}",
        claim="Networks between steps of data consistency are better than compressed sensing.",
        metric="psnr",
        rival="admm_cs",
        question="The samples carry noise. Why should they not be put back exactly?",
    ),
    "kiki_net": About(
        tex=r"\hat x \leftarrow K(\hat x), \qquad x \leftarrow F^{-1} \hat x + I(F^{-1} \hat x), "
        r"\qquad \hat x \leftarrow F x \ \text{(samples put back)}",
        claim="Networks in both domains are better than a network on the picture alone.",
        metric="psnr",
        rival="aliasing_unet",
        question="A convolution looks at neighbours. What are neighbours in k-space, and what can "
        "one tell of the other?",
    ),
    "dagan": About(
        tex=r"L = a\,\frac{\|o - x^*\|^2}{\|x^*\|^2} + b\,\overline{(|Fo| - |Fx^*|)^2} + "
        r"c\,\overline{(\varphi(o) - \varphi(x^*))^2} - g \log D(o)",
        claim="An adversary draws sharper edges than a network with a pixel loss.",
        metric="edge_sharpness",
        rival="aliasing_unet",
        question="No sample is ever looked at again. What would a radiologist have to see to "
        "distrust a fold in this picture?",
    ),
}
