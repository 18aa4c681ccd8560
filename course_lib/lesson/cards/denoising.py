"""What the cards of denoising add to the methods' docstrings."""

from course_lib.lesson.cards import About

CARDS = {
    "cnn_dae": About(
        tex=r"\hat x = \mathrm{dec}(\mathrm{enc}(x)), \qquad L = \overline{(\hat x - y)^2}",
        claim="A small autoencoder, trained on few images, denoises better than a median filter.",
        metric="psnr",
        rival="median",
        question="Everything passes through the pooled middle. What of a scan cannot get through?",
    ),
    "red_cnn": About(
        tex=r"\hat x = \mathrm{ReLU}\big(\mathrm{deconv}(d_4) + x\big), \qquad "
        r"L = \overline{(\hat x - y)^2}",
        claim="A residual encoder-decoder denoises low-dose CT better than BM3D.",
        metric="psnr",
        rival="bm3d",
        question="One shortcut joins input and output. What is then left for the layers to learn, "
        "and why is that easier?",
    ),
    "wgan_vgg": About(
        tex=r"\min_G \max_{\mathrm{Lip}(C) \le 1} \; a\,\big(\overline{C(y)} - "
        r"\overline{C(G(x))}\big) + p\, \overline{(\varphi(G(x)) - \varphi(y))^2}",
        claim="Critic and features keep the texture that a pixel loss smooths away.",
        metric="nps_distance",
        rival="red_cnn",
        question="The critic rewards grain that looks right. How would you notice that the grain "
        "is right and a vessel is invented?",
    ),
}
