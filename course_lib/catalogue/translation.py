"""Translation between modalities (survey section 2.2.2): its methods, baselines first."""

from course_lib.catalogue.entry import Entry

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
        "histogram_matching",
        "translation",
        "HistogramMatching",
        "histogram matching",
        "baseline",
        None,
        "Gonzalez & Fittes 1977, Mech. Mach. Theory",
    ),
    Entry(
        "regression_forest",
        "translation",
        "RegressionForest",
        "regression forest",
        "classical",
        None,
        "Huynh et al. 2016, IEEE TMI",
        datasets=PAIRED,
    ),
    Entry(
        "pix2pix",
        "translation",
        "Pix2Pix",
        "pix2pix",
        "adversarial",
        46,
        "Isola et al. 2017, CVPR",
        datasets=PAIRED,
    ),
    Entry(
        "cyclegan",
        "translation",
        "CycleGAN",
        "CycleGAN",
        "adversarial",
        47,
        "Zhu et al. 2017, ICCV",
    ),
    Entry(
        "gc_cyclegan",
        "translation",
        "GCCycleGAN",
        "CycleGAN + gradient consistency",
        "adversarial",
        54,
        "Hiasa et al. 2018, SASHIMI (MICCAI workshop)",
    ),
)
