"""The course as a library: the script that the README names does what it says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "train_on_tensors.py"


@pytest.mark.slow
def test_red_cnn_learns_from_tensors_of_ones_own():
    result = subprocess.run(
        [sys.executable, SCRIPT], capture_output=True, encoding="utf-8", timeout=300
    )
    assert result.returncode == 0, result.stderr
    noisy, denoised = (
        float(re.search(rf"^{word}: ([\d.]+) dB$", result.stdout, re.M)[1])
        for word in ("noisy", "denoised")
    )
    assert denoised > noisy + 1


def test_the_script_is_short_and_named_in_the_readme():
    lines = [line for line in SCRIPT.read_text("utf-8").splitlines() if line.strip()]
    start = next(k for k, line in enumerate(lines) if line.startswith("question = "))
    assert len(lines) - start <= 20
    assert "benchmarks/train_on_tensors.py" in (SCRIPT.parents[1] / "README.md").read_text("utf-8")
