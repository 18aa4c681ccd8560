"""Detection (survey section 4.2): its methods, baselines first."""

from course_lib.catalogue.entry import Entry, Section

SECTION = Section(
    title="Detection of nodules, and of their growth",
    survey="4.2",
    lesson="05_classification_detection/02_detection",
    questions=("nodules", "growth", "own"),
)

METHODS = (
    Entry(
        id="blob_detector",
        class_name="BlobDetector",
        name="blob detector",
        kind="classical",
        cite="Lindeberg 1998, IJCV",
        doi="10.1023/A:1008045108935",
        questions=("nodules", "own"),
    ),
    Entry(
        id="lag_alone",
        class_name="LagAlone",
        name="last lag alone",
        kind="baseline",
        cite="—",
        questions=("growth",),
    ),
    Entry(
        id="previous_label",
        class_name="PreviousLabel",
        name="previous label again",
        kind="baseline",
        cite="—",
        questions=("growth",),
    ),
    Entry(
        id="growth_rule",
        class_name="GrowthRule",
        name="doubling-time rule",
        kind="classical",
        cite="MacMahon et al. 2017, Radiology",
        doi="10.1148/radiol.2017161659",
        questions=("growth",),
    ),
    Entry(
        id="patch_cnn_detector",
        class_name="PatchCNNDetector",
        name="patch-wise CNN",
        kind="supervised",
        cite="generic; Ciresan et al. 2013, MICCAI",
        doi="10.1007/978-3-642-40763-5_51",
        questions=("nodules", "own"),
    ),
    Entry(
        id="faster_rcnn",
        class_name="FasterRCNN",
        name="Faster R-CNN",
        kind="supervised",
        cite="Ren et al. 2015, NIPS",
        doi="10.1109/TPAMI.2016.2577031",
        questions=("nodules", "own"),
    ),
    Entry(
        id="retinanet",
        class_name="RetinaNet",
        name="RetinaNet",
        kind="supervised",
        ref=113,
        cite="Lin et al. 2017, ICCV",
        doi="10.1109/ICCV.2017.324",
        questions=("nodules", "own"),
    ),
    Entry(
        id="lstm",
        class_name="LSTM",
        name="LSTM without dates",
        kind="supervised",
        cite="Hochreiter & Schmidhuber 1997, Neural Computation",
        doi="10.1162/neco.1997.9.8.1735",
        questions=("growth",),
    ),
    Entry(
        id="tlstm",
        class_name="TLSTM",
        name="tLSTM",
        kind="supervised",
        ref=117,
        cite="Santeramo et al. 2018, DLMIA",
        doi="10.48550/arXiv.1807.06144",
        questions=("growth",),
    ),
)
