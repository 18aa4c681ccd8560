"""The smallest record of a finished or failed job that is one."""


def record(job, key, status="done"):
    """Arguments: job: as a record says it; key: 64 hexadecimal digits."""
    start = {"schema": 1, "key": key, "status": status, "job": job, "error": None}
    start["started"] = "2026-01-01T00:00:00+00:00"
    if status == "failed":
        return start | {"error": {"type": "ValueError", "message": "wrong"}, "notebook": None}
    case = {"case": "a", "subject": "a", "group": "chest", "scores": {"psnr": 31.5}}
    return start | {
        "wall_s": {"data": 0.0, "fit": 0.0, "predict": 0.0, "total": 0.03},
        "predict_s_per_case": 0.0,
        "peak_memory_mb": 1.0,
        "parameters": 0,
        "steps": 0,
        "device": {"name": "a machine", "kind": "cpu", "threads": 1, "precision": "float32"},
        "versions": {"python": "3.11", "torch": "2.13.0", "numpy": "2.0", "course": "0.1.0"},
        "data": [],
        "provenance": {},
        "settings": {"chosen": {}, "candidates": 0, "chosen_on": None},
        "curve": [],
        "headline": "psnr",
        "metrics": {"psnr": {"unit": "dB", "better": "higher", "text": "Of noise."}},
        "cases": [case],
        "pictures": None,
        "notebook": None,
    }
