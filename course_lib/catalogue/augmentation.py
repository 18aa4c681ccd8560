"""Augmentation (survey section 2.2.1): its methods, baselines first; none answers all questions."""

from course_lib.catalogue.entry import Entry, Section

SECTION = Section(
    title="Augmentation",
    survey="2.2.1",
    lesson="02_synthesis/01_augmentation",
    questions=("malignancy", "anomaly", "own"),
)

METHODS = (
    Entry(
        id="no_augmentation",
        class_name="NoAugmentation",
        name="no augmentation",
        kind="baseline",
        cite="—",
        questions=("malignancy", "own"),
    ),
    Entry(
        id="classic_augmentation",
        class_name="ClassicAugmentation",
        name="classic augmentation",
        kind="classical",
        cite="Simard et al. 2003, ICDAR",
        doi="10.1109/ICDAR.2003.1227801",
        questions=("malignancy", "own"),
    ),
    Entry(
        id="pca_sampler",
        class_name="PCASampler",
        name="PCA sampler",
        kind="classical",
        cite="Pearson 1901, Philosophical Magazine",
        doi="10.1080/14786440109462720",
        questions=("malignancy", "own"),
    ),
    Entry(
        id="pca_residual",
        class_name="PCAResidual",
        name="PCA residual",
        kind="classical",
        cite="Pearson 1901, Philosophical Magazine",
        doi="10.1080/14786440109462720",
        questions=("anomaly",),
    ),
    Entry(
        id="dcgan",
        class_name="DCGAN",
        name="DCGAN",
        kind="adversarial",
        cite="Radford et al. 2016, ICLR",
        doi="10.48550/arXiv.1511.06434",
        questions=("malignancy", "own"),
        paper={"width": 64},
        long={"width": 32},
    ),
    Entry(
        id="liver_dcgan",
        class_name="LiverDCGAN",
        name="class-wise DCGANs",
        kind="adversarial",
        ref=36,
        cite="Frid-Adar et al. 2018, Neurocomputing",
        doi="10.1016/j.neucom.2018.09.013",
        questions=("malignancy", "own"),
        variants={"no classic changes": {"classic": False}, "no made lesions": {"share": 0.0}},
        paper={"width": 64},
        long={"width": 32},
    ),
    Entry(
        id="anogan",
        class_name="AnoGAN",
        name="AnoGAN",
        kind="adversarial",
        ref=34,
        cite="Schlegl et al. 2017, IPMI",
        doi="10.1007/978-3-319-59050-9_12",
        questions=("anomaly",),
        variants={
            "residual only": {"weight": 0.0},
            "features only": {"weight": 1.0},
        },
        paper={"width": 64, "searches": 500},
        long={"width": 32, "searches": 200},
    ),
)
