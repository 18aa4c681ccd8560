"""What the cards of detection add to the methods' docstrings."""

from course_lib.lesson.cards import About

CARDS = {
    "patch_cnn_detector": About(
        tex=r"p(y, x) = \mathrm{CNN}\big(I[y - 12 : y + 12,\; x - 12 : x + 12]\big)",
        claim="A CNN on patches finds more than a filter for blobs.",
        metric="froc",
        rival="blob_detector",
        question="Neighbouring windows overlap almost whole. How much of the work is done twice?",
    ),
    "faster_rcnn": About(
        tex=r"L = L_{\mathrm{RPN}} + L_{\mathrm{head}}, \qquad "
        r"\text{each } \mathrm{CE} + \mathrm{smooth}_{L_1}",
        claim="Proposals on shared maps find more than a sliding window.",
        metric="froc",
        rival="patch_cnn_detector",
        question="A nodule that the first stage does not propose is lost. Where would you look "
        "for it in the scores?",
    ),
    "retinanet": About(
        tex=r"FL(p) = -\alpha\,(1 - p)^{\gamma} \log p",
        claim="With the focal loss one stage is as good as two.",
        metric="froc",
        rival="faster_rcnn",
        question="An object of p = 0.9 and one of p = 0.1: by how much does γ = 2 weigh each down?",
    ),
    "lstm": About(
        tex=r"c \leftarrow f \cdot c + i \cdot g, \qquad h = o \cdot \tanh c",
        claim="Images of earlier visits say more than the label of the last one.",
        metric="auc",
        rival="previous_label",
        question="It counts visits. For which patients is that as good as a calendar?",
    ),
    "tlstm": About(
        tex=r"i, f, o, g = \mathrm{act}(W_x x + W_m m + W_t\,\delta + b), \qquad "
        r"c \leftarrow f \cdot c + i \cdot g",
        claim="A recurrent network that is told the dates beats one that is not.",
        metric="auc",
        rival="lstm",
        question="The lag alone already tells something here. Why, and how would you build test "
        "series in which it does not?",
    ),
}
