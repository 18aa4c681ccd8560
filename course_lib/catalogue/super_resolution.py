"""Super-resolution (survey section 2.1.2): its methods, baselines first."""

from course_lib.catalogue.entry import Entry

METHODS = (
    Entry("bicubic", "super_resolution", "Bicubic", "bicubic", "baseline", None, "—"),
    Entry(
        "cubic_spline",
        "super_resolution",
        "CubicSpline",
        "cubic spline",
        "classical",
        None,
        "Unser 1999, IEEE Signal Process. Mag.",
    ),
    Entry(
        "srcnn", "super_resolution", "SRCNN", "SRCNN", "supervised", 11, "Dong et al. 2016, TPAMI"
    ),
    Entry("espcn", "super_resolution", "ESPCN", "ESPCN", "supervised", 15, "Shi et al. 2016, CVPR"),
    Entry(
        "recnn_3d",
        "super_resolution",
        "ReCNN",
        "ReCNN (3D)",
        "supervised",
        11,
        "Pham et al. 2019, Comput. Med. Imaging Graph.",
    ),
    Entry("csn", "super_resolution", "CSN", "CSN", "supervised", 14, "Zhao et al. 2019, IEEE TIP"),
)
