"""What the cards of segmentation add to the methods' docstrings."""

from course_lib.lesson.cards import About

CARDS = {
    "fcn": About(
        tex=r"\text{8s}: \ \uparrow_8 \big(\uparrow_2 (\uparrow_2 s_5 + s_4) + s_3\big)",
        claim="A network that sees far labels better than a window of brightness.",
        metric="dice",
        rival="intensity_windows",
        question="Scores are added, not features. What of a fine border can a sum of two class "
        "scores still express?",
    ),
    "unet": About(
        tex=r"L = -\overline{w(x) \log p(x)}, \qquad "
        r"w = w_c + w_0\, e^{-(d_1 + d_2)^2 / 2\sigma^2}",
        claim="Joined features find borders better than added scores.",
        metric="assd",
        rival="fcn",
        question="Cut the skip at the finest level only. Which structures suffer first?",
    ),
    "vnet": About(
        tex=r"L = 1 - \frac{2 \sum p\,g}{\sum p^2 + \sum g^2}",
        claim="A volume is segmented better whole than slice by slice.",
        metric="dice",
        rival="unet",
        question="The stack is eight slices thick. How much of a 3D kernel sees padding?",
    ),
    "bdc_lstm": About(
        tex=r"h^{\uparrow}_k = \mathrm{LSTM}(f_k, h^{\uparrow}_{k-1}), \qquad "
        r"h^{\downarrow}_k = \mathrm{LSTM}(f_k, h^{\downarrow}_{k+1})",
        claim="Reading the stack in both directions is better than single slices.",
        metric="dice",
        rival="unet",
        question="The network reads up and down. For which anatomy would one direction do?",
    ),
    "segan": About(
        tex=r"\min_S \max_C \; \overline{|C_i(x \cdot S(x)) - C_i(x \cdot y)|}",
        claim="A critic of features can replace the pixel loss.",
        metric="dice",
        rival="unet",
        question="The loss is a mean over all pixels. What does it tell a hippocampus?",
    ),
    "combo_loss": About(
        tex=r"L = -\alpha\, \overline{\beta\,t \log p + (1 - \beta)(1 - t) \log(1 - p)} - "
        r"(1 - \alpha) \frac{2 \sum p\,t}{\sum p + \sum t}",
        claim="Cross-entropy and Dice together find small structures better than the first alone.",
        metric="dice_smallest",
        rival="unet",
        question="Which β would you choose for a tumour, which for an organ at risk?",
    ),
}
