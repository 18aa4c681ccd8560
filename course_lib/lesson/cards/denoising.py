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
    "aapm_net": About(
        tex=r"\hat c = B(W x), \qquad \hat x = W^{-1} \hat c, \qquad "
        r"L = \overline{|\hat c - W y|^2}",
        claim="Directions are easier to clean than pixels.",
        metric="psnr",
        rival="red_cnn",
        question="A streak and a fissure both have a direction. What tells the network which of "
        "them to keep?",
    ),
    "wgan": About(
        tex=r"L_C = \overline{C(G(x))} - \overline{C(y)}, \qquad w_C \in [-c, c]",
        claim="A critic after the pixels brings the texture back that they smoothed away.",
        metric="nps_distance",
        rival="red_cnn",
        question="Every weight is clamped. Which functions can such a critic not be?",
    ),
    "wgan_gp": About(
        tex=r"L_C = \overline{C(G(x))} - \overline{C(y)} + "
        r"10\, \overline{(\|\nabla C(\hat x)\|_2 - 1)^2}",
        claim="Bound by its slope, a critic teaches texture better than bound by its weights.",
        metric="nps_distance",
        rival="wgan",
        question="The slope is asked for between real and made images only. What may the critic "
        "do elsewhere, and does it matter?",
    ),
    "lsgan": About(
        tex=r"L_D = \tfrac12 \overline{(D(y) - 1)^2} + \tfrac12 \overline{D(G(x))^2}",
        claim="The least-squares game, the cheapest, brings the texture back as well.",
        metric="nps_distance",
        rival="wgan",
        question="Squares pull at what lies far off, on the right side too. For which made images "
        "is that a good thing?",
    ),
    "ma_lsgan": About(
        tex=r"\hat x = x - N(x), \qquad L = \tfrac{a}{2} \overline{(D(\hat x) - 1)^2} + "
        r"s\,(1 - \mathrm{SSIM}(\hat x, y)) + v\, \overline{|\hat x - y|}",
        claim="Texture, structure and values together are better than the game and the pixels.",
        metric="ssim",
        rival="lsgan",
        question="The network draws the noise. How would you look for anatomy in what it takes "
        "away?",
    ),
    "smgan": About(
        tex=r"S = \tau\,(1 - \mathrm{MS{-}SSIM}(G(x), y)) + (1 - \tau)\, \overline{|G(x) - y|}, "
        r"\qquad \tau = 0.89",
        claim="Neighbouring slices and structure keep more than one slice and pixels.",
        metric="ssim",
        rival="red_cnn",
        question="Noise changes from slice to slice and anatomy hardly. Where in the chest is the "
        "second half wrong?",
    ),
    "dp_resnet": About(
        tex=r"\hat p = p + S(p), \qquad x = \mathrm{FBP}(\hat p), \qquad \hat x = x + I(x)",
        claim="Two domains beat one.",
        metric="psnr",
        rival="red_cnn",
        question="The sinogram is cleaned before anybody sees a patient. Which mistake made there "
        "can the second network still mend?",
    ),
    "noise2noise": About(
        tex=r"\overline{(f(x_1) - x_2)^2} = \overline{(f(x_1) - \mathrm{patient})^2} + "
        r"\mathrm{const}",
        claim="Without any clean scan a network denoises better than BM3D.",
        metric="psnr",
        rival="bm3d",
        question="The constant is the noise of the target. What happens to the equation if both "
        "halves share a ring artefact?",
    ),
    "consensus_net": About(
        tex=r"\tfrac12 \|f_1(x_1) - x_2\|^2 + \tfrac12 \|f_2(x_2) - x_1\|^2 - "
        r"\tfrac{1}{4} \|f_1(x_1) - f_2(x_2)\|^2",
        claim="Judged by their mean, two networks use all photons and beat Noise2Noise.",
        metric="psnr",
        rival="noise2noise",
        question="The minus sign pays the two for disagreeing. When is that right, and what holds "
        "them back?",
    ),
}
