"""Detection (survey section 4.2): its methods, baselines first."""

from course_lib.catalogue.entry import Entry

SLICES = ("chest_ct+lung_tumours/nodules", "chest_ct/nodules", "path:")
SERIES = ("series/irregular", "series/regular")

METHODS = (
    Entry(
        "blob_detector",
        "detection",
        "BlobDetector",
        "blob detector",
        "classical",
        None,
        "Lindeberg 1998, IJCV",
        datasets=SLICES,
    ),
    Entry(
        "growth_rule",
        "detection",
        "GrowthRule",
        "doubling-time rule",
        "classical",
        None,
        "MacMahon et al. 2017, Radiology",
        datasets=SERIES,
    ),
    Entry(
        "patch_cnn_detector",
        "detection",
        "PatchCNNDetector",
        "patch-wise CNN",
        "supervised",
        None,
        "generic; Ciresan et al. 2013, MICCAI",
        datasets=SLICES,
    ),
    Entry(
        "faster_rcnn",
        "detection",
        "FasterRCNN",
        "Faster R-CNN",
        "supervised",
        None,
        "Ren et al. 2015, NIPS",
        datasets=SLICES,
    ),
    Entry(
        "retinanet",
        "detection",
        "RetinaNet",
        "RetinaNet",
        "supervised",
        113,
        "Lin et al. 2017, ICCV",
        datasets=SLICES,
    ),
    Entry(
        "lstm",
        "detection",
        "LSTM",
        "LSTM without dates",
        "supervised",
        None,
        "Hochreiter & Schmidhuber 1997, Neural Computation",
        datasets=SERIES,
    ),
    Entry(
        "tlstm",
        "detection",
        "TLSTM",
        "tLSTM",
        "supervised",
        117,
        "Santeramo et al. 2018, DLMIA",
        datasets=SERIES,
    ),
)
