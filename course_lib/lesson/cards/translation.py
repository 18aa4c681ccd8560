"""What the cards of translation add to the methods' docstrings."""

from course_lib.lesson.cards import About

CARDS = {
    "pix2pix": About(
        tex=r"L_G = \mathrm{BCE}(D(x, G(x)), 1) + 100\,|G(x) - y|_1",
        claim="A conditional GAN on pairs translates better than a forest on neighbourhoods.",
        metric="psnr",
        rival="regression_forest",
        question="The L1 term knows the right answer already. What is the discriminator for?",
    ),
    "cyclegan": About(
        tex=r"L = \overline{(D_Y(G(x)) - 1)^2} + \overline{(D_X(F(y)) - 1)^2} + "
        r"10\,\big(|F(G(x)) - x|_1 + |G(F(y)) - y|_1\big)",
        claim="Without pairs, a cycle is nearly as good as pairs are.",
        metric="psnr",
        rival="pix2pix",
        question="G may move every skull by two pixels if F moves it back. Which loss notices?",
    ),
    "gc_cyclegan": About(
        tex=r"L = L_{\mathrm{cycle}} + \tfrac w2 \big[(1 - GC(x, G(x))) + (1 - GC(y, F(y)))\big]",
        claim="Consistent gradients keep the bone where it is.",
        metric="bone_distance",
        rival="cyclegan",
        question="Bone is dark in MR and bright in CT. What does a signed correlation of "
        "gradients say of a correct translation there?",
    ),
}
