"""Denoising (survey section 2.1.1): its methods, baselines first."""

from course_lib.catalogue.entry import Entry, Section

SECTION = Section(
    title="Denoising of low-dose CT",
    survey="2.1.1",
    lesson="01_restoration/01_denoising",
    questions=("low_dose", "own"),
)

METHODS = (
    Entry(
        id="noisy_input",
        class_name="NoisyInput",
        name="noisy scan",
        kind="baseline",
        cite="—",
    ),
    Entry(
        id="median",
        class_name="Median",
        name="median filter",
        kind="classical",
        cite="Tukey 1977",
    ),
    Entry(
        id="non_local_means",
        class_name="NonLocalMeans",
        name="non-local means",
        kind="classical",
        cite="Buades et al. 2005, CVPR",
        doi="10.1109/CVPR.2005.38",
    ),
    Entry(
        id="total_variation",
        class_name="TotalVariation",
        name="total variation",
        kind="classical",
        cite="Rudin et al. 1992, Physica D",
        doi="10.1016/0167-2789(92)90242-F",
    ),
    Entry(
        id="bm3d",
        class_name="BM3D",
        name="BM3D",
        kind="classical",
        cite="Dabov et al. 2007, IEEE TIP",
        doi="10.1109/TIP.2007.901238",
    ),
    Entry(
        id="cnn_dae",
        class_name="CNNDAE",
        name="CNN-DAE",
        kind="supervised",
        ref=1,
        cite="Gondara 2016, ICDM Workshops",
        doi="10.1109/ICDMW.2016.0041",
    ),
    Entry(
        id="red_cnn",
        class_name="REDCNN",
        name="RED-CNN",
        kind="supervised",
        ref=2,
        cite="Chen et al. 2017, IEEE TMI",
        doi="10.1109/TMI.2017.2715284",
        long={"width": 48},
        paper={"width": 96},
    ),
    Entry(
        id="wgan_vgg",
        class_name="WGANVGG",
        name="WGAN-VGG",
        kind="adversarial",
        ref=4,
        cite="Yang et al. 2018, IEEE TMI",
        doi="10.1109/TMI.2018.2827462",
        data=("imagenet_weights",),
        variants={
            "features only": {"adversarial": 0.0},
            "WGAN only": {"perceptual": 0.0},
            "WGAN-MSE": {"perceptual": 0.0, "pixel": 1.0},
            "CNN-MSE": {"adversarial": 0.0, "perceptual": 0.0, "pixel": 1.0},
        },
    ),
)
