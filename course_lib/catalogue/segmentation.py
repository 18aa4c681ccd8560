"""Segmentation (survey section 3.2): its methods, baselines first."""

from course_lib.catalogue.entry import Entry

METHODS = (
    Entry(
        "intensity_windows",
        "segmentation",
        "IntensityWindows",
        "intensity windows",
        "classical",
        None,
        "Otsu 1979, IEEE Trans. Syst. Man Cybern.",
    ),
    Entry(
        "random_forest",
        "segmentation",
        "RandomForest",
        "random forest on filters",
        "classical",
        None,
        "Breiman 2001, Machine Learning",
    ),
    Entry("fcn", "segmentation", "FCN", "FCN-8s", "supervised", None, "Long et al. 2015, CVPR"),
    Entry(
        "unet",
        "segmentation",
        "UNet",
        "U-Net",
        "supervised",
        None,
        "Ronneberger et al. 2015, MICCAI",
    ),
    Entry("vnet", "segmentation", "VNet", "V-Net", "supervised", 84, "Milletari et al. 2016, 3DV"),
    Entry(
        "bdc_lstm",
        "segmentation",
        "KUNetBDCLSTM",
        "kU-Net + BDC-LSTM",
        "supervised",
        88,
        "Chen et al. 2016, NeurIPS",
    ),
    Entry(
        "segan",
        "segmentation",
        "SegAN",
        "SegAN",
        "adversarial",
        89,
        "Xue et al. 2018, Neuroinformatics",
    ),
    Entry(
        "combo_loss",
        "segmentation",
        "ComboLoss",
        "combo loss",
        "supervised",
        92,
        "Taghanaki et al. 2019, Comput. Med. Imaging Graph.",
    ),
)
