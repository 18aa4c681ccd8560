"""The methods of augmentation; each says which of the two data sets it answers."""

from course_lib.catalogue.entry import Entry

LABELS, HEALTHY = ("malignancy", "path:"), ("anomaly",)

METHODS = (
    Entry(
        "no_augmentation",
        "augmentation",
        "NoAugmentation",
        "no augmentation",
        "baseline",
        None,
        "—",
        datasets=LABELS,
    ),
    Entry(
        "classic_augmentation",
        "augmentation",
        "ClassicAugmentation",
        "classic augmentation",
        "classical",
        None,
        "Simard et al. 2003, ICDAR",
        datasets=LABELS,
    ),
    Entry(
        "pca_sampler",
        "augmentation",
        "PCASampler",
        "PCA sampler",
        "classical",
        None,
        "Pearson 1901, Philosophical Magazine",
        datasets=LABELS,
    ),
    Entry(
        "pca_residual",
        "augmentation",
        "PCAResidual",
        "PCA residual",
        "classical",
        None,
        "Pearson 1901, Philosophical Magazine",
        datasets=HEALTHY,
    ),
    Entry(
        "dcgan",
        "augmentation",
        "DCGAN",
        "DCGAN",
        "adversarial",
        33,
        "Radford et al. 2016, ICLR",
        datasets=LABELS,
    ),
    Entry(
        "liver_dcgan",
        "augmentation",
        "LiverDCGAN",
        "class-wise DCGANs",
        "adversarial",
        36,
        "Frid-Adar et al. 2018, Neurocomputing",
        datasets=LABELS,
    ),
    Entry(
        "anogan",
        "augmentation",
        "AnoGAN",
        "AnoGAN",
        "adversarial",
        34,
        "Schlegl et al. 2017, IPMI",
        datasets=HEALTHY,
    ),
)
