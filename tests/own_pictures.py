"""Pictures, boxes, masks and labels as users' tools write them."""

import json
from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed: int = 0, height: int = 40, width: int = 60, colours: bool = True) -> np.ndarray:
    """Noise on a dark ground."""
    shape = (height, width, 3) if colours else (height, width)
    return np.random.default_rng(seed).integers(0, 60, shape).astype(np.uint8)


def save(file: Path, values: np.ndarray, **options: object) -> Path:
    """Writes a picture, its folder too."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(file, **options)
    return file


def coco(
    place: Path,
    names: list[str],
    boxes: dict[str, list[list[float]]] | None = None,
    file: str = "notes.json",
    **changes: object,
) -> Path:
    """A COCO file that gives each picture its boxes, (left, top, width, height)."""
    boxes = {name: [[10, 8, 20, 12]] for name in names} if boxes is None else boxes
    content = {
        "images": [{"id": k, "file_name": name} for k, name in enumerate(names)],
        "categories": [{"id": 4, "name": "cell"}],
        "annotations": [
            {"id": 100 * k + n, "image_id": k, "category_id": 4, "bbox": box}
            for k, name in enumerate(names)
            for n, box in enumerate(boxes.get(name, []))
        ],
    }
    (place / file).parent.mkdir(parents=True, exist_ok=True)
    (place / file).write_text(json.dumps(content | changes), "utf-8")
    return place / file


def discs(place: Path, count: int = 8, side: int = 48, masks: str = "masks") -> Path:
    """Bright red discs on noise, with masks of 0 and 255 in a folder beside."""
    line = np.arange(side)
    for k in range(count):
        inside = (line[:, None] - 20 - k % 5) ** 2 + (line - 24) ** 2 < 100
        image = picture(k, side, side)
        image[inside] = (220, 90, 60)
        save(place / "images" / f"p{k}.png", image)
        save(place / masks / f"p{k}.png", (255 * inside).astype(np.uint8))
    return place
