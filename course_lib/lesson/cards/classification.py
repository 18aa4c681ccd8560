"""What the cards of classification add to the methods' docstrings."""

from course_lib.lesson.cards import About

CARDS = {
    "resnet_baseline": About(
        tex=r"y = \mathrm{ReLU}(x + F(x))",
        claim="A network from the pixels beats the ruler.",
        metric="auc",
        rival="nodule_size",
        question="The readers saw the size too when they rated. What does it mean to beat a ruler "
        "at their answers?",
    ),
    "fine_tuning": About(
        tex=r"\theta_0 = \theta_{\mathrm{ImageNet}}, \qquad L = -\overline{\log p_{c}(x)}",
        claim="Weights from photographs are a better start than chance.",
        metric="auc",
        rival="resnet_baseline",
        question="Which layers should a photograph and a lung have in common?",
    ),
    "curriculum_learning": About(
        tex=r"\mathrm{pace}(t) = s + (1 - s) \min(t / t_{\mathrm{full}},\, 1)",
        claim="Easy cases first lead to a better network.",
        metric="auc",
        rival="resnet_baseline",
        question="A random order with the same pace sees the same few cases often. Which effect "
        "does this control take away?",
    ),
    "agcnn_thorax": About(
        tex=r"p = \mathrm{softmax}\big(W\,[g, l]\big), \qquad l = \mathrm{CNN}(\mathrm{crop}(x))",
        claim="A second look at the place that matters improves the answer.",
        metric="auc",
        rival="resnet_baseline",
        question="The crop follows the first branch. What does the second one learn where the "
        "first looked at the wrong place?",
    ),
}
