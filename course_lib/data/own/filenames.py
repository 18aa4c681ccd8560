"""What the name of a volume's file says: image, label map or target, which contrast, whose.

People mark a label map by its folder (`labels/`, `masks/`), by the end of its name (`x_seg`,
`x-label`) or by the start (`segmentation-7` beside `volume-7`). BIDS writes all into the name:
`sub-01_ses-2_T1w`.
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

WORDS = {
    "image": "image images img imgs volume volumes scan scans source sources input inputs",
    "label": "label labels labelmap labelmaps lbl lbls mask masks msk msks seg segs segmentation "
    "segmentations annotation annotations gt gts groundtruth ground_truth truth roi rois contours",
    "target": "target targets output outputs",
}
FOLDERS = {word: role for role, words in WORDS.items() for word in words.split()}
PART_FOLDER = re.compile(r"(images|labels)(Tr|Va|Vl|Ts|Te)", re.I)
PART_WORDS = {"tr": "train", "va": "val", "vl": "val", "ts": "test", "te": "test"}

CONTRAST = (
    r"T[12](?:w|ce|c|gd|n|f|post|map|star|rho)?|T1wGd|inplaneT[12]|T2starw|FLAIR|PDw?|PDT2|DWI|ADC|"
    r"SWI|MRA|MP2?RAGE|UNIT1|bold|sbref|cbv|asl|epi|phase[12]?|magnitude[12]?|CT|CTA|CBCT|PET|SUV|"
    r"MRI?|angio"
)
IMAGE = r"image|img|volume|vol|scan"
STRONG = r"d?seg|segm|segmentation|labels?|labelmap|masks?|(?:1st|2nd)HO"
WEAK = r"gt|ground[-_]?truth|truth|roi|lesions?|manual\w*|annotations?|contours?"
SEPARATOR = r"[-_. ]"
CONTRAST_LAST = re.compile(rf"(?:^|(?<={SEPARATOR}))({CONTRAST})$", re.I)
CONTRAST_FIRST = re.compile(rf"^({CONTRAST})(?={SEPARATOR})", re.I)
IMAGE_LAST = re.compile(rf"(?:^|{SEPARATOR})({IMAGE})$", re.I)
IMAGE_FIRST = re.compile(rf"^({IMAGE})(?:{SEPARATOR}|(?=\d))", re.I)
# The sure words before the others: in `lesion_mask` it is the mask that tells.
LABELS = tuple(
    re.compile(form.format(words), re.I)
    for words in (STRONG, WEAK)
    for form in (
        rf"(?:^|{SEPARATOR})({{}})\d*(?:{SEPARATOR}\w{{{{1,12}}}})?$",
        rf"^({{}})(?:{SEPARATOR}|(?=\d))(?=.)",
    )
)
TARGET_LAST = re.compile(rf"(?:^|{SEPARATOR})targets?$", re.I)
SOURCE_LAST = re.compile(rf"(?:^|{SEPARATOR})source$", re.I)
ENTITY = re.compile(r"([a-zA-Z0-9]+)-([a-zA-Z0-9]+)")
OF_THE_PICTURE = ("desc", "space", "res", "den", "label", "seg", "atlas")  # not of the person


@dataclass(frozen=True)
class Place:
    """What the folders above a file say.

    Arguments:
        role: image, label or target; empty where no folder says.
        contrast: of a folder such as `T1/`.
        folder: those that say neither: a subject, a part, a site.
        derived: whether it lies in BIDS's `derivatives`.
    """

    role: str
    contrast: str
    folder: str
    derived: bool


def place_of(path: str) -> Place:
    """What the folders of a path below the data's folder say.

    >>> place_of("train/images/a.nii").folder, place_of("labelsTr/a.nii").role
    ('train', 'label')
    """
    role, contrast, kept, derived = "", "", [], False
    for name in PurePosixPath(path).parts[:-1]:
        part = PART_FOLDER.fullmatch(name)
        if part or name.lower() in FOLDERS:
            role = FOLDERS[part[1].lower() if part else name.lower()]
            if part and part[2].lower() != "tr":
                kept.append(PART_WORDS[part[2].lower()])
        elif is_contrast(name):
            contrast = name
        else:
            derived = derived or name == "derivatives"
            kept.append(name)
    return Place(role, contrast, "/".join(kept), derived)


def part_path(path: str) -> str:
    """The path with nnU-Net's folders called as what they are.

    >>> part_path("imagesTs/a.nii.gz")
    'test/a.nii.gz'
    """
    *folders, name = PurePosixPath(path).parts
    said = [PART_FOLDER.fullmatch(folder) for folder in folders]
    named = [PART_WORDS[m[2].lower()] if m else f for m, f in zip(said, folders, strict=True)]
    return "/".join([*named, name])


def label_word(stem: str) -> tuple[str, bool]:
    """The word by which a name says that it is a label map, and whether it can mean nothing else.

    >>> label_word("x_seg"), label_word("brain_masked"), label_word("lesion-3")
    (('seg', True), ('', False), ('lesion', False))
    """
    found = next((match for form in LABELS if (match := form.search(stem))), None)
    if found is None:
        return "", False
    return found[1].lower(), bool(re.fullmatch(STRONG, found[1], re.I))


def split_contrast(stem: str) -> tuple[str, str]:
    """A name without its contrast, and the contrast.

    >>> split_contrast("p1_T1w"), split_contrast("ct_train_3"), split_contrast("p1")
    (('p1', 'T1w'), ('train_3', 'ct'), ('p1', ''))
    """
    for pattern in (CONTRAST_LAST, CONTRAST_FIRST):
        if found := pattern.search(stem):
            return (stem[: found.start()] + stem[found.end() :]).strip("-_. "), found[1]
    return stem, ""


def is_contrast(word: str) -> bool:
    """Whether a word is the name of a contrast.

    >>> is_contrast("T1w"), is_contrast("brain")
    (True, False)
    """
    return bool(re.fullmatch(CONTRAST, word, re.I))


def core(stem: str) -> tuple[str, str]:
    """What is left of an image's name without the words `image`, `source` and its contrast, and the
    contrast.

    >>> core("mr_train_1001_image"), core("volume-7"), core("T2")
    (('train_1001', 'mr'), ('7', ''), ('', 'T2'))
    """
    for pattern in (IMAGE_LAST, IMAGE_FIRST, SOURCE_LAST):
        stem = pattern.sub("", stem)
    return split_contrast(stem)


def cores_of_label(stem: str) -> list[str]:
    """What the image of a label map may be called, the likeliest first.

    >>> cores_of_label("p_1_T1w_brain_mask"), cores_of_label("segmentation-7")
    (['p_1_T1w_brain', 'p_1_T1w', 'p_1', 'p'], ['7'])
    """
    matches = [match for form in LABELS if (match := form.search(stem))]
    rests = [stem[: m.start()] or stem[m.end() :] for m in matches]
    rest = next(filter(None, rests), "")
    found = [rest]
    while cut := re.search(rf"{SEPARATOR}[^-_. ]*$", rest):
        rest = rest[: cut.start()]
        found.append(rest)
    return found


def entities(stem: str) -> dict[str, str]:
    """BIDS's pairs in a name that say whose image it is and when it was taken.

    >>> entities("sub-01_ses-2_desc-brain_mask")
    {'sub': '01', 'ses': '2'}
    """
    pairs = (ENTITY.fullmatch(word) for word in stem.split("_"))
    return {m[1]: m[2] for m in pairs if m and m[1] not in OF_THE_PICTURE}


def bids_suffix(stem: str) -> str:
    """The last word of a BIDS name, its contrast.

    >>> bids_suffix("sub-01_T1w"), bids_suffix("sub-01_part-phase")
    ('T1w', '')
    """
    last = stem.split("_")[-1]
    return "" if ENTITY.fullmatch(last) else last
