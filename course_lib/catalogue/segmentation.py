"""Segmentation (survey section 3.2): its methods, baselines first."""

from course_lib.catalogue.entry import Entry, Section

SECTION = Section(
    title="Segmentation",
    survey="3.2",
    lesson="04_segmentation/01_segmentation",
    questions=("structures", "own_pictures", "own"),
)

METHODS = (
    Entry(
        id="intensity_windows",
        class_name="IntensityWindows",
        name="intensity windows",
        kind="classical",
        cite="Otsu 1979, IEEE Trans. Syst. Man Cybern.",
        doi="10.1109/TSMC.1979.4310076",
    ),
    Entry(
        id="random_forest",
        class_name="RandomForest",
        name="random forest on filters",
        kind="classical",
        cite="Breiman 2001, Machine Learning",
        doi="10.1023/A:1010933404324",
    ),
    Entry(
        id="fcn",
        class_name="FCN",
        name="FCN-8s",
        kind="supervised",
        cite="Long et al. 2015, CVPR",
        doi="10.1109/CVPR.2015.7298965",
        variants={"FCN-32s": {"stride": 32}, "FCN-16s": {"stride": 16}},
    ),
    Entry(
        id="unet",
        class_name="UNet",
        name="U-Net",
        kind="supervised",
        cite="Ronneberger et al. 2015, MICCAI",
        doi="10.1007/978-3-319-24574-4_28",
        variants={"without skips": {"skips": False}, "3D U-Net": {"dims": 3}},
        long={"widths": (24, 48, 96, 192)},
        paper={"widths": (64, 128, 256, 512, 1024)},
    ),
    Entry(
        id="vnet",
        class_name="VNet",
        name="V-Net",
        kind="supervised",
        ref=84,
        cite="Milletari et al. 2016, 3DV",
        doi="10.1109/3DV.2016.79",
        questions=("structures", "own"),
        variants={"weighted cross-entropy": {"loss": "balanced_cross_entropy"}},
    ),
    Entry(
        id="bdc_lstm",
        class_name="KUNetBDCLSTM",
        name="kU-Net + BDC-LSTM",
        kind="supervised",
        ref=88,
        cite="Chen et al. 2016, NeurIPS",
        doi="10.48550/arXiv.1609.01006",
        questions=("structures", "own"),
        variants={"kU-Net alone": {"context": False}},
    ),
    Entry(
        id="segan",
        class_name="SegAN",
        name="SegAN",
        kind="adversarial",
        ref=89,
        cite="Xue et al. 2018, Neuroinformatics",
        doi="10.1007/s12021-018-9377-x",
        variants={
            "deepest level only": {"levels": "last"},
            "one score": {"levels": "scalar"},
            "critic that never learns": {"critic_rate": 0.0},
        },
    ),
    Entry(
        id="combo_loss",
        class_name="ComboLoss",
        name="combo loss",
        kind="supervised",
        ref=92,
        cite="Taghanaki et al. 2019, Comput. Med. Imaging Graph.",
        doi="10.1016/j.compmedimag.2019.04.005",
        variants={
            "cross-entropy only": {"alpha": 1.0},
            "Dice only": {"alpha": 0.0},
            "misses count more": {"beta": 0.7},
        },
    ),
)
