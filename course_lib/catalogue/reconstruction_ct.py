"""Reconstruction of CT (survey section 2.1.3): its methods, baselines first."""

from course_lib.catalogue.entry import Entry

METHODS = (
    Entry(
        "fbp",
        "reconstruction_ct",
        "FBP",
        "FBP",
        "baseline",
        None,
        "Ramachandran & Lakshminarayanan 1971, PNAS",
    ),
    Entry(
        "tv_reconstruction",
        "reconstruction_ct",
        "TVReconstruction",
        "TV reconstruction",
        "classical",
        None,
        "Sidky & Pan 2008, Physics in Medicine and Biology",
    ),
    Entry(
        "fbp_conv_net",
        "reconstruction_ct",
        "FBPConvNet",
        "FBPConvNet",
        "supervised",
        None,
        "Jin et al. 2017, IEEE TIP",
    ),
    Entry(
        "learned_primal_dual",
        "reconstruction_ct",
        "LearnedPrimalDual",
        "learned primal-dual",
        "supervised",
        20,
        "Adler & Öktem 2018, IEEE TMI",
    ),
    Entry(
        "jsr_net",
        "reconstruction_ct",
        "JSRNet",
        "JSR-Net",
        "supervised",
        22,
        "Zhang et al. 2019, IEEE ICASSP",
    ),
)
