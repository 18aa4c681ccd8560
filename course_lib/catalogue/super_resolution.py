"""Super-resolution (survey section 2.1.2): its methods, baselines first."""

from course_lib.catalogue.entry import Entry, Section

SECTION = Section(
    title="Super-resolution of CT and MR",
    survey="2.1.2",
    lesson="01_restoration/02_super_resolution",
    questions=("large_voxels", "own"),
)

METHODS = (
    Entry(
        id="bicubic",
        class_name="Bicubic",
        name="bicubic",
        kind="baseline",
        cite="—",
    ),
    Entry(
        id="cubic_spline",
        class_name="CubicSpline",
        name="cubic spline",
        kind="classical",
        cite="Unser 1999, IEEE Signal Process. Mag.",
        doi="10.1109/79.799930",
    ),
    Entry(
        id="srcnn",
        class_name="SRCNN",
        name="SRCNN",
        kind="supervised",
        cite="Dong et al. 2016, TPAMI",
        doi="10.1109/TPAMI.2015.2439281",
    ),
    Entry(
        id="espcn",
        class_name="ESPCN",
        name="ESPCN",
        kind="supervised",
        cite="Shi et al. 2016, CVPR",
        doi="10.1109/CVPR.2016.207",
        variants={"ESPCN (3D)": {"dimensions": 3}},
    ),
    Entry(
        id="recnn_3d",
        class_name="ReCNN",
        name="ReCNN (3D)",
        kind="supervised",
        ref=11,
        cite="Pham et al. 2019, Comput. Med. Imaging Graph.",
        doi="10.1016/j.compmedimag.2019.101647",
        variants={
            "3D SRCNN": {"residual": False, "layers": 3},
            "without the residual": {"residual": False},
        },
        long={"layers": 10, "width": 28},
        paper={"layers": 10, "width": 64},
    ),
    Entry(
        id="csn",
        class_name="CSN",
        name="CSN",
        kind="supervised",
        ref=14,
        cite="Zhao et al. 2019, IEEE TIP",
        doi="10.1109/TIP.2019.2921882",
    ),
)
