"""Translation between modalities (survey section 2.2.2): its methods, baselines first."""

from course_lib.catalogue.entry import Entry, Section

SECTION = Section(
    title="Translation between modalities",
    survey="2.2.2",
    lesson="02_synthesis/02_translation",
    questions=("ct_from_mr", "t2_from_t1", "own"),
)

PAIRED = (
    *(
        f"{pair}/{kind}"
        for pair in ("mr_to_ct", "t1_to_t2")
        for kind in ("aligned", "misaligned_3mm", "misaligned_6mm", "misaligned_12mm")
    ),
    "hippocampus_t1t2",
    "path:",
)
"""The data sets whose training images come in pairs."""

METHODS = (
    Entry(
        id="histogram_matching",
        class_name="HistogramMatching",
        name="histogram matching",
        kind="baseline",
        cite="Gonzalez & Fittes 1977, Mech. Mach. Theory",
    ),
    Entry(
        id="regression_forest",
        class_name="RegressionForest",
        name="regression forest",
        kind="classical",
        cite="Huynh et al. 2016, IEEE TMI",
        doi="10.1109/TMI.2015.2461533",
        variants={"no distances to the skin": {"distances": False}},
        datasets=PAIRED,
    ),
    Entry(
        id="pix2pix",
        class_name="Pix2Pix",
        name="pix2pix",
        kind="adversarial",
        ref=46,
        cite="Isola et al. 2017, CVPR",
        doi="10.1109/CVPR.2017.632",
        variants={"L1 alone": {"adversarial": 0.0}, "cGAN alone": {"l1": 0.0}},
        paper={"width": 64},
        long={"width": 32},
        datasets=PAIRED,
    ),
    Entry(
        id="cyclegan",
        class_name="CycleGAN",
        name="CycleGAN",
        kind="adversarial",
        ref=47,
        cite="Zhu et al. 2017, ICCV",
        doi="10.1109/ICCV.2017.244",
        variants={
            "cycle alone": {"adversarial": 0.0},
            "GAN alone": {"cycle": 0.0},
            "with the identity loss": {"identity": 5.0},
        },
        paper={"width": 64, "blocks": 9},
        long={"width": 24, "blocks": 6},
    ),
    Entry(
        id="gc_cyclegan",
        class_name="GCCycleGAN",
        name="CycleGAN + gradient consistency",
        kind="adversarial",
        ref=54,
        cite="Hiasa et al. 2018, SASHIMI (MICCAI workshop)",
        doi="10.1007/978-3-030-00536-8_4",
        variants={"contrast may be inverted": {"absolute": True}},
        paper={"width": 64, "blocks": 9},
        long={"width": 24, "blocks": 6},
    ),
)
