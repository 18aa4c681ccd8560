"""What the cards of the frontier add to the methods' docstrings."""

from course_lib.lesson.cards import About

CARDS = {
    "domain_shift_benchmark": About(
        tex=r"L = \mathrm{CE} + o \cdot \mathrm{BCE}",
        claim="On unseen scanners a trained network still beats a filter for blobs.",
        metric="auc",
        rival="blob_filter",
        question="Which of your own data would count as another scanner?",
    ),
    "domain_generalisation": About(
        tex=r"x \mapsto Q_{\mathrm{train}}\big(Q_{\mathrm{scanner}}^{-1}(x)\big)",
        claim="Cheap remedies win back on unseen scanners what was lost.",
        metric="auc",
        rival="domain_shift_benchmark",
        question="A remedy may cost something at home. Would you pay it without being asked?",
    ),
    "saliency_explanations": About(
        tex=r"m = \mathrm{ReLU}\Big(\sum_k \overline{\partial p / \partial f_k}\; f_k\Big)",
        claim="The map of a classifier lies on the nodule more often than the middle does.",
        metric="pointing",
        rival="centre_map",
        question="A map may point right and explain nothing. Which of the three doubts finds that?",
    ),
    "mask_u_net": About(
        tex=r"L = \mathrm{BCE} + 1 - \mathrm{Dice}",
        claim="Five outlines are enough for a network that beats a filter.",
        metric="dice",
        rival="blob_filter",
        question="Which five nodules would you outline, if you may choose?",
    ),
    "attention_mil": About(
        tex=r"a_i = \mathrm{softmax}_i\, w^{\mathsf T} [\tanh(V h_i) \cdot \sigma(U h_i)], \qquad "
        r"z = \sum_i a_i h_i",
        claim="Attention finds the place from image labels alone.",
        metric="pointing",
        rival="blob_filter",
        question="The weights sum to one. What do they say of an image without a nodule?",
    ),
    "weak_supervision_cam_mil": About(
        tex=r"\mathrm{CAM} = \sum_k w_k f_k, \qquad M = [\mathrm{CAM} > \tfrac12 \max] \cdot "
        r"[x > \bar x]",
        claim="Outlines made from image labels beat a filter that learns nothing.",
        metric="dice",
        rival="blob_filter",
        question="The second network is taught by the first one's mistakes. Which of them can it "
        "unlearn, and which not?",
    ),
}
