"""Which tasks and methods exist: an explicit list, so that reading it is enough.

A method's file is `methods/<task>/<module>.py`; ids and references are those of the survey of Wang
& Qin (2020). Nothing is imported before it is asked for.
"""

import difflib
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from course_lib.errors import CourseError

if TYPE_CHECKING:
    from course_lib.methods.base import Classical, Method
    from course_lib.tasks.base import Task


@dataclass(frozen=True)
class Entry:
    """A method. `ref`: its number in the survey, None where the survey does not name it.
    `kind`: baseline, classical, supervised, adversarial, self-supervised …
    `data`: data sets of the registry that the method itself needs, such as pretrained weights."""

    id: str
    task: str
    class_name: str
    name: str
    kind: str
    ref: int | None
    cite: str
    data: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        """The module that holds the method."""
        return f"course_lib.methods.{self.task}.{self.id}"

    @property
    def baseline(self) -> bool:
        """Whether others are compared with it: everything that does not learn."""
        return self.kind in ("baseline", "classical")

    def describe(self) -> dict[str, Any]:
        """What `course methods --json` prints."""
        return asdict(self) | {"baseline": self.baseline}


TASKS: tuple[str, ...] = ("denoising", "super_resolution", "reconstruction_ct")

METHODS: tuple[Entry, ...] = (
    Entry("noisy_input", "denoising", "NoisyInput", "noisy scan", "baseline", None, "—"),
    Entry("median", "denoising", "Median", "median filter", "classical", None, "Tukey 1977"),
    Entry(
        "non_local_means",
        "denoising",
        "NonLocalMeans",
        "non-local means",
        "classical",
        None,
        "Buades et al. 2005, CVPR",
    ),
    Entry(
        "total_variation",
        "denoising",
        "TotalVariation",
        "total variation",
        "classical",
        None,
        "Rudin et al. 1992, Physica D",
    ),
    Entry("bm3d", "denoising", "BM3D", "BM3D", "classical", None, "Dabov et al. 2007, IEEE TIP"),
    Entry(
        "cnn_dae", "denoising", "CNNDAE", "CNN-DAE", "supervised", 1, "Gondara 2016, ICDM Workshops"
    ),
    Entry(
        "red_cnn", "denoising", "REDCNN", "RED-CNN", "supervised", 2, "Chen et al. 2017, IEEE TMI"
    ),
    Entry(
        "wgan_vgg",
        "denoising",
        "WGANVGG",
        "WGAN-VGG",
        "adversarial",
        4,
        "Yang et al. 2018, IEEE TMI",
        data=("imagenet_weights",),
    ),
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
    Entry(
        "fbp",
        "reconstruction_ct",
        "FBP",
        "FBP",
        "baseline",
        None,
        "Ramachandran & Lakshminarayanan 1971, PNAS",
    ),
    Entry(
        "tv_reconstruction",
        "reconstruction_ct",
        "TVReconstruction",
        "TV reconstruction",
        "classical",
        None,
        "Sidky & Pan 2008, Physics in Medicine and Biology",
    ),
    Entry(
        "fbp_conv_net",
        "reconstruction_ct",
        "FBPConvNet",
        "FBPConvNet",
        "supervised",
        None,
        "Jin et al. 2017, IEEE TIP",
    ),
    Entry(
        "learned_primal_dual",
        "reconstruction_ct",
        "LearnedPrimalDual",
        "learned primal-dual",
        "supervised",
        20,
        "Adler & Öktem 2018, IEEE TMI",
    ),
    Entry(
        "jsr_net",
        "reconstruction_ct",
        "JSRNet",
        "JSR-Net",
        "supervised",
        22,
        "Zhang et al. 2019, IEEE ICASSP",
    ),
)


def _pick(kind: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise CourseError(
            f"There is no {kind} {name!r}.{hint} `course {kind}s` lists what there is."
        )


def entry(method: str) -> Entry:
    """The entry of a method id.

    Raises CourseError with the nearest name when there is none.
    """
    _pick("method", method, tuple(e.id for e in METHODS))
    return next(e for e in METHODS if e.id == method)


def methods(task: str) -> tuple[Entry, ...]:
    """All methods of a task, baselines first."""
    return tuple(e for e in METHODS if e.task == task)


def task(name: str) -> "Task":
    """The task of that name.

    Raises CourseError with the nearest name when there is none.
    """
    _pick("task", name, TASKS)
    return import_module(f"course_lib.tasks.{name}").TASK


def build(method: str, **options: Any) -> "Method | Classical":
    """A new, untrained method. Weights follow torch's global seed: see `device.seeded`.

    Raises CourseError when the method has no such option.
    """
    found = entry(method)
    cls = getattr(import_module(found.module), found.class_name)
    try:
        return cls(**options)
    except TypeError as error:
        raise CourseError(f"{found.name} cannot be built with {options}: {error}.") from error
