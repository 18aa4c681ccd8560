"""What the cards of augmentation add to the methods' docstrings."""

from course_lib.lesson.cards import About

CARDS = {
    "dcgan": About(
        tex=r"L_D = -\overline{\log \sigma(D(x))} - \overline{\log (1 - \sigma(D(G(z))))}, \qquad "
        r"L_G = -\overline{\log \sigma(D(G(z)))}",
        claim="Made patches help a classifier beyond classic changes.",
        metric="auc",
        rival="classic_augmentation",
        question="The judge labels the made patches itself. Can it learn anything from them that "
        "it did not know?",
    ),
    "liver_dcgan": About(
        tex=r"L_{D_c} = -\overline{\log \sigma(D_c(x))} - "
        r"\overline{\log (1 - \sigma(D_c(G_c(z))))}, \quad x \text{ of class } c",
        claim="Lesions made for each class help a classifier beyond classic changes.",
        metric="auc",
        rival="classic_augmentation",
        question="The GAN has seen exactly the training patches. Where should new information "
        "come from?",
    ),
    "anogan": About(
        tex=r"A(z) = (1 - \lambda) \sum |x - G(z)| + \lambda \sum |f(x) - f(G(z))|",
        claim="What a GAN of healthy tissue cannot draw is a lesion.",
        metric="auc",
        rival="pca_residual",
        question="A vessel at a rare place is healthy, and hard to draw. What score does it get?",
    ),
}
