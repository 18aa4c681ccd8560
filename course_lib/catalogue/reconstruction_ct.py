"""Reconstruction of CT (survey section 2.1.3): its methods, baselines first."""

from course_lib.catalogue.entry import Entry, Section

SECTION = Section(
    title="Reconstruction of CT from few views",
    survey="2.1.3",
    lesson="01_restoration/03_ct_reconstruction",
    questions=("few_views", "own"),
)

METHODS = (
    Entry(
        id="fbp",
        class_name="FBP",
        name="FBP",
        kind="baseline",
        cite="Ramachandran & Lakshminarayanan 1971, PNAS",
        doi="10.1073/pnas.68.9.2236",
    ),
    Entry(
        id="tv_reconstruction",
        class_name="TVReconstruction",
        name="TV reconstruction",
        kind="classical",
        cite="Sidky & Pan 2008, Physics in Medicine and Biology",
        doi="10.1088/0031-9155/53/17/021",
    ),
    Entry(
        id="fbp_conv_net",
        class_name="FBPConvNet",
        name="FBPConvNet",
        kind="supervised",
        cite="Jin et al. 2017, IEEE TIP",
        doi="10.1109/TIP.2017.2713099",
        paper={"features": (64, 128, 256, 512, 1024, 64)},
    ),
    Entry(
        id="learned_primal_dual",
        class_name="LearnedPrimalDual",
        name="learned primal-dual",
        kind="supervised",
        ref=20,
        cite="Adler & Öktem 2018, IEEE TMI",
        doi="10.1109/TMI.2018.2799231",
        long={"iterations": 10},
        paper={"iterations": 10, "width": 32},
    ),
    Entry(
        id="jsr_net",
        class_name="JSRNet",
        name="JSR-Net",
        kind="supervised",
        ref=22,
        cite="Zhang et al. 2019, IEEE ICASSP",
        doi="10.1109/ICASSP.2019.8682178",
        variants={
            "without the structural term": {"structural": 0.0},
            "without the Radon term": {"radon": 0.0},
        },
        long={"rounds": 5},
        paper={"rounds": 7},
    ),
)
