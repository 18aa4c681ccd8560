"""The pictures that a job leaves beside its record."""

from pathlib import Path
from typing import Any


def write_pictures(panels: dict[str, Any], cases: list[dict], folder: Path) -> dict[str, Any]:
    """Saves the panels as float16 (uint8 for colour) and returns what the record says of them."""
    import numpy as np

    arrays = {
        name: panel.values.cpu().numpy().astype("uint8" if panel.kind == "rgb" else "float16")
        for name, panel in panels.items()
    }
    names = np.array([case["case"] for case in cases])
    np.savez_compressed(folder / "pictures.npz", case=names, **arrays)
    return {
        "file": "pictures.npz",
        "panels": [
            {
                "name": name,
                "kind": panel.kind,
                "window": list(panel.window),
                "unit": panel.unit,
                "shared": panel.shared,
            }
            for name, panel in panels.items()
        ],
    }
