"""Reconstruction of MR (survey section 2.1.3): its methods, baselines first."""

from course_lib.catalogue.entry import Entry

METHODS = (
    Entry("zero_filled", "reconstruction_mr", "ZeroFilled", "zero-filled", "baseline", None, "—"),
    Entry(
        "admm_cs",
        "reconstruction_mr",
        "ADMMCS",
        "compressed sensing (ADMM, TV)",
        "classical",
        19,
        "Lustig et al. 2007, Magn. Reson. Med.",
    ),
    Entry(
        "aliasing_unet",
        "reconstruction_mr",
        "AliasingUNet",
        "aliasing U-Net",
        "supervised",
        23,
        "Lee et al. 2017, IEEE ISBI",
    ),
    Entry(
        "deep_cascade",
        "reconstruction_mr",
        "DeepCascade",
        "deep cascade",
        "supervised",
        25,
        "Schlemper et al. 2018, IEEE TMI",
    ),
    Entry(
        "kiki_net",
        "reconstruction_mr",
        "KIKINet",
        "KIKI-net",
        "supervised",
        27,
        "Eo et al. 2018, Magn. Reson. Med.",
    ),
    Entry(
        "dagan",
        "reconstruction_mr",
        "DAGAN",
        "DAGAN",
        "adversarial",
        30,
        "Yang et al. 2018, IEEE TMI",
        data=("imagenet_weights",),
    ),
)
