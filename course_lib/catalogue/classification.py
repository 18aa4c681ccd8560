"""Classification (survey section 4.1): its methods, baselines first."""

from course_lib.catalogue.entry import Entry

NODULES = tuple(f"nodules/{count}" for count in ("300", "100", "30", "10", "300_noisy"))

METHODS = (
    Entry("majority", "classification", "Majority", "majority class", "baseline", None, "—"),
    Entry(
        "nodule_size",
        "classification",
        "NoduleSize",
        "size in the outline",
        "classical",
        None,
        "MacMahon et al. 2017, Radiology",
        datasets=NODULES,
    ),
    Entry(
        "radiomics_ml",
        "classification",
        "RadiomicsML",
        "radiomics",
        "classical",
        93,
        "Zwanenburg et al. 2020, Radiology",
    ),
    Entry(
        "fixed_features_ml",
        "classification",
        "FixedFeaturesML",
        "fixed features",
        "classical",
        None,
        "Sharif Razavian et al. 2014, CVPR Workshops",
        data=("imagenet_weights",),
    ),
    Entry(
        "resnet_baseline",
        "classification",
        "ResNetBaseline",
        "ResNet",
        "supervised",
        None,
        "He et al. 2016, CVPR",
    ),
    Entry(
        "fine_tuning",
        "classification",
        "FineTuning",
        "fine-tuning",
        "supervised",
        None,
        "Tajbakhsh et al. 2016, IEEE TMI",
        data=("imagenet_weights",),
    ),
    Entry(
        "curriculum_learning",
        "classification",
        "CurriculumLearning",
        "curriculum",
        "supervised",
        101,
        "Bengio et al. 2009, ICML",
    ),
    Entry(
        "agcnn_thorax",
        "classification",
        "AGCNN",
        "AG-CNN",
        "supervised",
        102,
        "Guan et al. 2018, arXiv",
    ),
)
