"""Classification (survey section 4.1): its methods, baselines first."""

from course_lib.catalogue.entry import Entry, Section

SECTION = Section(
    title="Classification of lung nodules",
    survey="4.1",
    lesson="05_classification_detection/01_classification",
    questions=("malignancy", "own"),
)

METHODS = (
    Entry(
        id="majority",
        class_name="Majority",
        name="majority class",
        kind="baseline",
        cite="—",
    ),
    Entry(
        id="nodule_size",
        class_name="NoduleSize",
        name="size in the outline",
        kind="classical",
        cite="MacMahon et al. 2017, Radiology",
        doi="10.1148/radiol.2017161659",
        questions=("malignancy",),
        variants={"outline by threshold": {"outline": "threshold"}},
    ),
    Entry(
        id="radiomics_ml",
        class_name="RadiomicsML",
        name="radiomics",
        kind="classical",
        cite="Zwanenburg et al. 2020, Radiology",
        doi="10.1148/radiol.2020191145",
        variants={"outline by threshold": {"outline": "threshold"}},
    ),
    Entry(
        id="fixed_features_ml",
        class_name="FixedFeaturesML",
        name="fixed features",
        kind="classical",
        cite="Sharif Razavian et al. 2014, CVPR Workshops",
        doi="10.1109/CVPRW.2014.131",
        data=("imagenet_weights",),
        variants={"random weights": {"weights": "random"}},
    ),
    Entry(
        id="resnet_baseline",
        class_name="ResNetBaseline",
        name="ResNet",
        kind="supervised",
        cite="He et al. 2016, CVPR",
        doi="10.1109/CVPR.2016.90",
        variants={"without shortcuts": {"shortcuts": False}},
    ),
    Entry(
        id="fine_tuning",
        class_name="FineTuning",
        name="fine-tuning",
        kind="supervised",
        cite="Tajbakhsh et al. 2016, IEEE TMI",
        doi="10.1109/TMI.2016.2535302",
        data=("imagenet_weights",),
        variants={
            "from scratch": {"weights": "random"},
            "head alone": {"depth": 0},
            "all groups": {"depth": 7},
        },
    ),
    Entry(
        id="curriculum_learning",
        class_name="CurriculumLearning",
        name="curriculum",
        kind="supervised",
        cite="Bengio et al. 2009, ICML",
        doi="10.1145/1553374.1553380",
        variants={"random order": {"order": "random"}, "hard first": {"order": "hard"}},
    ),
    Entry(
        id="agcnn_thorax",
        class_name="AGCNN",
        name="AG-CNN",
        kind="supervised",
        ref=102,
        cite="Guan et al. 2018, arXiv",
        doi="10.48550/arXiv.1801.09927",
        variants={
            "crop anywhere": {"crop": "random"},
            "crop by the readers' outline": {"crop": "outline"},
        },
    ),
)
