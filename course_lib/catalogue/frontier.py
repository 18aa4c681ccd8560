"""The frontier (survey section 5): its methods, baselines first.

The survey names directions there, not methods; the papers are this course's examples.
"""

from course_lib.catalogue.entry import Entry

EXPLAINED = ("explanations/nodules", "explanations/shortcut")
SCANNERS = ("scanner_shift/one_scanner", "scanner_shift/without_D", "scanner_shift/random_split")
OUTLINED = ("weak_labels/5_masks", "weak_labels/20_masks", "weak_labels/all_masks")
WEAK = ("weak_labels/0_masks", *OUTLINED)

METHODS = (
    Entry(
        "random_map", "frontier", "RandomMap", "random map", "baseline", None, "—",
        datasets=EXPLAINED,
    ),
    Entry(
        "centre_map", "frontier", "CentreMap", "the middle", "baseline", None, "—",
        datasets=EXPLAINED,
    ),
    Entry(
        "edge_map", "frontier", "EdgeMap", "edges", "classical", None,
        "control of Adebayo et al. 2018, NeurIPS", datasets=EXPLAINED,
    ),
    Entry(
        "blob_filter", "frontier", "BlobFilter", "blob filter", "classical", None,
        "Lindeberg 1998, IJCV", datasets=(*SCANNERS, *EXPLAINED, *WEAK),
    ),
    Entry(
        "domain_shift_benchmark", "frontier", "DomainShiftBenchmark", "reader without remedy",
        "supervised", None, "after Zech et al. 2018, PLoS Medicine", datasets=SCANNERS,
    ),
    Entry(
        "domain_generalisation", "frontier", "DomainGeneralisation", "reader with augmentation",
        "supervised", None, "after Zhang et al. 2020, IEEE TMI", datasets=SCANNERS,
    ),
    Entry(
        "saliency_explanations", "frontier", "SaliencyExplanations", "saliency map", "supervised",
        None, "Selvaraju et al. 2017, ICCV", datasets=EXPLAINED,
    ),
    Entry(
        "mask_u_net", "frontier", "MaskUNet", "U-Net on the outlines", "supervised", None,
        "Ronneberger et al. 2015, MICCAI", datasets=OUTLINED,
    ),
    Entry(
        "attention_mil", "frontier", "AttentionMIL", "attention MIL", "weakly supervised", None,
        "Ilse et al. 2018, ICML", datasets=WEAK,
    ),
    Entry(
        "weak_supervision_cam_mil", "frontier", "WeakSupervisionCAMMIL", "CAM pseudo-outlines",
        "weakly supervised", None, "Zhou et al. 2016, CVPR", datasets=WEAK,
    ),
)  # fmt: skip
