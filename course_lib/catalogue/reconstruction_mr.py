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
    ),
    Entry(
        id="deep_cascade",
        class_name="DeepCascade",
        name="deep cascade",
        kind="supervised",
        ref=25,
        cite="Schlemper et al. 2018, IEEE TMI",
        doi="10.1109/TMI.2017.2760978",
    ),
    Entry(
        id="kiki_net",
        class_name="KIKINet",
        name="KIKI-net",
        kind="supervised",
        ref=27,
        cite="Eo et al. 2018, Magn. Reson. Med.",
        doi="10.1002/mrm.27201",
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
    ),
)
