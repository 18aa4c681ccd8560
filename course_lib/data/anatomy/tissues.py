"""What tissues are made of: one number per tissue and contrast mechanism.

A row holds the CT number [HU], proton density [1 = water], T1 and T2 [ms] at 1.5 T and 3 T, the
uptake of FDG [SUV], and how much texture the tissue shows. Values are rounded from

- Collins et al. 1998 (BrainWeb, 1.5 T head), doi:10.1109/42.712135
- Wansapura et al. 1999 (brain, 3 T), Journal of Magnetic Resonance Imaging 9(4):531-538
- Stanisz et al. 2005 (1.5 T and 3 T), doi:10.1002/mrm.20605
- de Bazelaire et al. 2004 (abdomen, 1.5 T and 3 T), doi:10.1148/radiol.2303021331

and deep grey nuclei lie between grey and white matter by their myelin and iron. They are typical
adults' values, meant to give every contrast its right order and about its right size.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Tissue:
    """One tissue; its number is its place in the table.

    `texture` is the relative standard deviation of slow and fine variation inside it, as a
    fraction of T1 and T2 (and, times 60 HU, of the CT number).
    """

    name: str
    hu: float
    pd: float
    t1: tuple[float, float]
    t2: tuple[float, float]
    suv: float
    texture: float


BRAIN = (
    Tissue("background", -1000, 0.00, (1000, 1000), (50, 50), 0.0, 0.0),
    Tissue("skin", 40, 0.70, (950, 1150), (45, 40), 0.7, 0.10),
    Tissue("fat", -95, 0.72, (343, 382), (75, 70), 0.3, 0.10),
    Tissue("muscle", 55, 0.82, (1008, 1412), (44, 42), 0.8, 0.08),
    Tissue("compact_bone", 1350, 0.04, (400, 450), (8, 6), 0.2, 0.20),
    Tissue("marrow", 480, 0.45, (420, 460), (55, 50), 0.6, 0.25),
    Tissue("csf", 8, 1.00, (3600, 4000), (1200, 1000), 0.3, 0.03),
    Tissue("grey_matter", 38, 0.84, (920, 1330), (98, 88), 4.2, 0.04),
    Tissue("white_matter", 28, 0.71, (580, 830), (76, 70), 1.3, 0.025),
    Tissue("thalamus", 35, 0.78, (730, 1050), (82, 74), 4.3, 0.05),
    Tissue("caudate", 37, 0.83, (890, 1240), (86, 76), 4.5, 0.03),
    Tissue("putamen", 37, 0.82, (830, 1160), (80, 70), 4.8, 0.035),
    Tissue("pallidum", 37, 0.76, (680, 960), (66, 54), 3.2, 0.05),
    Tissue("accumbens", 37, 0.83, (880, 1250), (86, 76), 4.0, 0.03),
    Tissue("hippocampus", 36, 0.85, (950, 1370), (102, 92), 3.0, 0.05),
    Tissue("amygdala", 36, 0.84, (940, 1350), (98, 88), 2.9, 0.04),
    Tissue("brainstem", 31, 0.75, (660, 940), (80, 72), 2.2, 0.05),
    Tissue("cerebellar_grey", 37, 0.84, (910, 1300), (96, 86), 3.4, 0.05),
    Tissue("cerebellar_white", 29, 0.72, (610, 860), (78, 70), 1.5, 0.03),
    Tissue("ventricle", 6, 1.00, (3800, 4200), (1400, 1200), 0.2, 0.02),
)

CHEST = (
    Tissue("background", -1000, 0.00, (1000, 1000), (50, 50), 0.0, 0.0),
    Tissue("lung", -850, 0.18, (1000, 1200), (40, 30), 0.4, 0.15),
    Tissue("lung_vessel", 20, 0.80, (1300, 1650), (140, 110), 1.4, 0.05),
    Tissue("gas", -980, 0.01, (1000, 1200), (20, 15), 0.1, 0.0),
    Tissue("fat", -100, 0.92, (343, 382), (75, 70), 0.3, 0.08),
    Tissue("muscle", 55, 0.82, (1008, 1412), (44, 42), 0.7, 0.06),
    Tissue("bone", 350, 0.45, (549, 586), (49, 48), 0.9, 0.20),
    Tissue("compact_bone", 800, 0.06, (400, 450), (8, 6), 0.4, 0.15),
    Tissue("heart", 330, 0.80, (1030, 1471), (42, 44), 2.5, 0.06),
    Tissue("blood", 350, 0.86, (1441, 1932), (240, 200), 1.6, 0.04),
    Tissue("liver", 73, 0.80, (586, 809), (46, 36), 2.2, 0.05),
    Tissue("spleen", 174, 0.84, (1057, 1328), (79, 62), 1.8, 0.05),
    Tissue("kidney", 213, 0.84, (830, 1150), (75, 70), 3.5, 0.08),
    Tissue("stomach", 60, 0.82, (900, 1200), (60, 55), 1.4, 0.10),
    Tissue("oesophagus", 35, 0.80, (950, 1300), (50, 45), 1.3, 0.06),
    Tissue("spinal_cord", 35, 0.77, (750, 1000), (78, 75), 1.9, 0.04),
    Tissue("gland", 75, 0.82, (700, 900), (55, 48), 1.5, 0.08),
)

TABLES = {"brain": BRAIN, "chest": CHEST}


def labels(region: str) -> dict[str, int]:
    """Name → number of every tissue of `brain` or `chest`; 0 is `background`."""
    return {tissue.name: number for number, tissue in enumerate(TABLES[region])}


def table(region: str, field_tesla: float = 1.5) -> dict[str, Tensor]:
    """Tissue parameters as float32 vectors (tissues,): `hu`, `pd`, `t1`, `t2`, `suv`, `texture`.

    `field_tesla`: relaxation times are interpolated linearly between 1.5 T and 3 T.
    """
    share = (field_tesla - 1.5) / 1.5
    rows = TABLES[region]
    columns = {
        name: [getattr(row, name) for row in rows] for name in ("hu", "pd", "suv", "texture")
    }
    for name in ("t1", "t2"):
        low, high = zip(*(getattr(row, name) for row in rows), strict=True)
        columns[name] = [a + share * (b - a) for a, b in zip(low, high, strict=True)]
    return {name: torch.tensor(values) for name, values in columns.items()}
