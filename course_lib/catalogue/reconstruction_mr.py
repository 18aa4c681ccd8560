"""Reconstruction of MR (survey section 2.1.3): its methods, baselines first."""

from course_lib.catalogue.entry import Entry, Section

SECTION = Section(
    title="Reconstruction of MR from few samples",
    survey="2.1.3",
    lesson="01_restoration/04_mr_reconstruction",
    questions=("few_samples", "own"),
)

METHODS = (
    Entry(
        id="zero_filled",
        class_name="ZeroFilled",
        name="zero-filled",
        kind="baseline",
        cite="—",
    ),
    Entry(
        id="admm_cs",
        class_name="ADMMCS",
        name="compressed sensing (ADMM, TV)",
        kind="classical",
        cite="Lustig et al. 2007, Magn. Reson. Med.",
        doi="10.1002/mrm.21391",
    ),
    Entry(
        id="aliasing_unet",
        class_name="AliasingUNet",
        name="aliasing U-Net",
        kind="supervised",
        ref=23,
        cite="Lee et al. 2017, IEEE ISBI",
        doi="10.1109/ISBI.2017.7950457",
        variants={
            "draws the picture": {"target": "image"},
            "one scale": {"scales": 1},
        },
        paper={"width": 64},
    ),
    Entry(
        id="deep_cascade",
        class_name="DeepCascade",
        name="deep cascade",
        kind="supervised",
        ref=25,
        cite="Schlemper et al. 2018, IEEE TMI",
        doi="10.1109/TMI.2017.2760978",
        variants={
            "without data consistency": {"consistent": False},
            "samples put back exactly": {"noiseless": True},
        },
        long={"cascades": 5, "depth": 5, "width": 32},
        paper={"cascades": 5, "depth": 5, "width": 64},
    ),
    Entry(
        id="kiki_net",
        class_name="KIKINet",
        name="KIKI-net",
        kind="supervised",
        ref=27,
        cite="Eo et al. 2018, Magn. Reson. Med.",
        doi="10.1002/mrm.27201",
        variants={
            "pictures only (IIII)": {"order": "IIII"},
            "k-space only (KKKK)": {"order": "KKKK"},
        },
        long={"layers": 6, "width": 32},
        paper={"layers": 25, "width": 48},
    ),
    Entry(
        id="dagan",
        class_name="DAGAN",
        name="DAGAN",
        kind="adversarial",
        ref=30,
        cite="Yang et al. 2018, IEEE TMI",
        doi="10.1109/TMI.2017.2785879",
        data=("imagenet_weights",),
        variants={
            "pixel and GAN": {"frequency": 0.0, "perceptual": 0.0},
            "pixel, perceptual and GAN": {"frequency": 0.0},
            "without GAN": {"adversarial": 0.0},
        },
        paper={"levels": 7, "width": 64},
    ),
)
