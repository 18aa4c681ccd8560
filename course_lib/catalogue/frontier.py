"""The frontier (survey section 5): its methods, baselines first.

The survey names directions there, not methods; the papers are this course's examples.
"""

from course_lib.catalogue.entry import Entry, Section

SECTION = Section(
    title="Trust: explanations, other scanners, few labels",
    survey="5",
    lesson="06_frontiers/01_frontiers",
    questions=("scanner_shift", "explanations", "shortcuts", "weak_labels"),
)

OUTLINED = ("weak_labels/5_masks", "weak_labels/20_masks", "weak_labels/all_masks")

METHODS = (
    Entry(
        id="random_map",
        class_name="RandomMap",
        name="random map",
        kind="baseline",
        cite="—",
        questions=("explanations", "shortcuts"),
    ),
    Entry(
        id="centre_map",
        class_name="CentreMap",
        name="the middle",
        kind="baseline",
        cite="—",
        questions=("explanations", "shortcuts"),
    ),
    Entry(
        id="edge_map",
        class_name="EdgeMap",
        name="edges",
        kind="classical",
        cite="control of Adebayo et al. 2018, NeurIPS",
        doi="10.48550/arXiv.1810.03292",
        questions=("explanations", "shortcuts"),
    ),
    Entry(
        id="blob_filter",
        class_name="BlobFilter",
        name="blob filter",
        kind="classical",
        cite="Lindeberg 1998, IJCV",
        doi="10.1023/A:1008045108935",
    ),
    Entry(
        id="domain_shift_benchmark",
        class_name="DomainShiftBenchmark",
        name="reader without remedy",
        kind="supervised",
        cite="after Zech et al. 2018, PLoS Medicine",
        doi="10.1371/journal.pmed.1002683",
        questions=("scanner_shift",),
    ),
    Entry(
        id="domain_generalisation",
        class_name="DomainGeneralisation",
        name="reader with augmentation",
        kind="supervised",
        cite="after Zhang et al. 2020, IEEE TMI",
        doi="10.1109/TMI.2020.2973595",
        questions=("scanner_shift",),
        variants={
            "histogram matching": {"remedy": "histogram"},
            "AdaBN": {"remedy": "adabn"},
            "all three remedies": {"remedy": "all"},
        },
    ),
    Entry(
        id="saliency_explanations",
        class_name="SaliencyExplanations",
        name="saliency map",
        kind="supervised",
        cite="Selvaraju et al. 2017, ICCV",
        doi="10.1109/ICCV.2017.74",
        questions=("explanations", "shortcuts"),
        variants={
            "gradient": {"kind": "gradient"},
            "integrated gradients": {"kind": "integrated_gradients"},
            "CAM": {"kind": "cam"},
            "occlusion": {"kind": "occlusion"},
        },
    ),
    Entry(
        id="mask_u_net",
        class_name="MaskUNet",
        name="U-Net on the outlines",
        kind="supervised",
        cite="Ronneberger et al. 2015, MICCAI",
        doi="10.1007/978-3-319-24574-4_28",
        questions=("weak_labels",),
        datasets=OUTLINED,
    ),
    Entry(
        id="attention_mil",
        class_name="AttentionMIL",
        name="attention MIL",
        kind="weakly supervised",
        cite="Ilse et al. 2018, ICML",
        doi="10.48550/arXiv.1802.04712",
        questions=("weak_labels",),
        variants={"max pooling": {"pooling": "max"}},
    ),
    Entry(
        id="weak_supervision_cam_mil",
        class_name="WeakSupervisionCAMMIL",
        name="CAM pseudo-outlines",
        kind="weakly supervised",
        cite="Zhou et al. 2016, CVPR",
        doi="10.1109/CVPR.2016.319",
        questions=("weak_labels",),
        variants={
            "half of each batch outlined": {"outlined": 0.5},
            "no outlines": {"use_masks": False},
        },
    ),
)
