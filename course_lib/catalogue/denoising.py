"""Denoising (survey section 2.1.1): its methods, baselines first."""

from course_lib.catalogue.entry import Entry

METHODS = (
    Entry("noisy_input", "denoising", "NoisyInput", "noisy scan", "baseline", None, "—"),
    Entry("median", "denoising", "Median", "median filter", "classical", None, "Tukey 1977"),
    Entry(
        "non_local_means",
        "denoising",
        "NonLocalMeans",
        "non-local means",
        "classical",
        None,
        "Buades et al. 2005, CVPR",
    ),
    Entry(
        "total_variation",
        "denoising",
        "TotalVariation",
        "total variation",
        "classical",
        None,
        "Rudin et al. 1992, Physica D",
    ),
    Entry("bm3d", "denoising", "BM3D", "BM3D", "classical", None, "Dabov et al. 2007, IEEE TIP"),
    Entry(
        "cnn_dae", "denoising", "CNNDAE", "CNN-DAE", "supervised", 1, "Gondara 2016, ICDM Workshops"
    ),
    Entry(
        "red_cnn", "denoising", "REDCNN", "RED-CNN", "supervised", 2, "Chen et al. 2017, IEEE TMI"
    ),
    Entry(
        "wgan_vgg",
        "denoising",
        "WGANVGG",
        "WGAN-VGG",
        "adversarial",
        4,
        "Yang et al. 2018, IEEE TMI",
        data=("imagenet_weights",),
    ),
)
