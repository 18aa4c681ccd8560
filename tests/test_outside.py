"""Methods that a researcher brings, in a file or a package, are checked and run like our own."""

import json
import sys

import pytest
from click.testing import CliRunner

from course_lib import catalogue
from course_lib.benchmark.job import Job
from course_lib.benchmark.store import Store
from course_lib.catalogue import outside
from course_lib.cli import course
from course_lib.errors import CourseError

HELPER = """
from torch import nn


def layers(channels, width):
    first, last = nn.Conv2d(channels, width, 3, padding=1), nn.Conv2d(width, channels, 3, padding=1)
    return nn.Sequential(first, nn.ReLU(), last)
"""

METHOD = '''
"""Sharper: a residual of two convolutions."""

import torch.nn.functional as F
from {helper} import layers

from course_lib.methods.base import Method
from course_lib.parts.hounsfield import hounsfield, relative_attenuation


class Sharper(Method):
    about = {{"section": "denoising", "name": "Sharper", "cite": "Me 2026"}}

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.width = width

    def build(self, facts):
        self.network = layers(facts.channels, self.width)

    def forward(self, x):
        return x + self.network(x)

    def losses(self, batch):
        low, normal = (relative_attenuation(batch[k]) for k in ("low_dose", "normal_dose"))
        yield "network", F.mse_loss(self(low), normal)

    def predict(self, batch):
        return hounsfield(self(relative_attenuation(batch["low_dose"])))
'''


@pytest.fixture
def written(tmp_path, monkeypatch):
    """`path:my_method.py`, with a module beside it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / f"helper_{tmp_path.name}.py").write_text(HELPER)
    (tmp_path / "my_method.py").write_text(METHOD.format(helper=f"helper_{tmp_path.name}"))
    return f"path:{tmp_path / 'my_method.py'}"


def job(method, **options):
    return Job("denoising", method, "chest_ct", "smoke", 0, options)


def test_a_file_is_a_method_with_options(written):
    entry = catalogue.entry(written)
    assert (entry.name, entry.kind, entry.section) == ("Sharper", "supervised", "denoising")
    assert not entry.baseline and catalogue.options(written) == {"width": 4}
    assert catalogue.build(written, width=2).width == 2
    with pytest.raises(CourseError, match="no option 'depth'; its options: width"):
        catalogue.build(written, depth=2)


@pytest.mark.slow
def test_it_runs_and_is_reported_under_its_name(written, tmp_path):
    command = ["run", "denoising", written, "--dataset", "chest_ct", "--profile", "smoke"]
    result = CliRunner().invoke(course, [*command, "--store", str(tmp_path / "runs")])
    assert result.exit_code == 0 and "psnr" in result.output, result.output
    (record,) = Store(tmp_path / "runs").records()
    assert record["about"]["name"] == "Sharper" and record["question"] == "low_dose"
    out = tmp_path / "report"
    report = ["report", "--store", str(tmp_path / "runs"), "--profile", "smoke", "--out", str(out)]
    assert CliRunner().invoke(course, report).exit_code == 0
    board = json.loads((out / "data" / "leaderboard.json").read_text())["sections"][0]["boards"][0]
    assert [row["name"] for row in board["rows"]] == ["Sharper"]


def test_its_key_follows_its_code_and_that_beside_it(written, tmp_path):
    first = job(written).key()
    assert job(written, width=8).key() != first
    (tmp_path / "unused.py").write_text("x = 1")
    assert job(written).key() == first
    helper = tmp_path / f"helper_{tmp_path.name}.py"
    helper.write_text("# A comment.\n" + HELPER)
    assert job(written).key() == first
    helper.write_text(HELPER.replace("nn.ReLU()", "nn.Tanh()"))
    assert job(written).key() != first


@pytest.mark.slow
def test_check_method_passes_what_is_sound_and_names_what_is_not(written, tmp_path):
    run = CliRunner().invoke
    good = run(course, ["check-method", written, "--dataset", "chest_ct"])
    assert good.exit_code == 0 and "0 failed" in good.output, good.output
    text = (tmp_path / "my_method.py").read_text()
    peeking = text.replace(
        "def build(self, facts):",
        "def build(self, facts):\n        self.spare = layers(1, 1)",
    )
    (tmp_path / "peeking.py").write_text(peeking)
    bad = run(course, ["check-method", f"path:{tmp_path / 'peeking.py'}", "--dataset", "chest_ct"])
    assert bad.exit_code == 1 and "a weight of network is not in its loss" in bad.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1", "not one method; it holds none"),
        ("1 / 0", "cannot be run: ZeroDivisionError"),
        (
            METHOD.format(helper="torch").replace("layers", "nn") + "class B(Sharper): pass",
            "Sharper, B",
        ),
        (
            METHOD.format(helper="torch").replace("layers", "nn").replace('"cite"', '"sight"'),
            "sight",
        ),
    ],
)
def test_files_that_hold_no_method_say_so(tmp_path, text, words):
    (tmp_path / "wrong.py").write_text(text)
    with pytest.raises(CourseError, match=words):
        catalogue.entry(f"path:{tmp_path / 'wrong.py'}")
    with pytest.raises(CourseError, match="no Python file"):
        catalogue.entry(f"path:{tmp_path / 'missing.py'}")


def test_one_of_several_is_named(tmp_path):
    text = (
        METHOD.format(helper="torch").replace("layers", "nn") + "\n\nclass B(Sharper):\n    pass\n"
    )
    (tmp_path / "two.py").write_text(text)
    assert catalogue.entry(f"path:{tmp_path / 'two.py'}:B").class_name == "B"


def test_installed_packages_bring_methods(tmp_path, monkeypatch):
    """A package on the path, with its entry point, is in the lists and can be built."""
    package = tmp_path / "site" / "sharp_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "kit.py").write_text(HELPER)
    (package / "sharper.py").write_text(METHOD.format(helper=".kit"))
    about = tmp_path / "site" / "sharp_package-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: sharp-package\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        f"[{outside.GROUP}]\nsharper = sharp_package.sharper:Sharper\n"
    )
    monkeypatch.syspath_prepend(tmp_path / "site")
    outside.installed.cache_clear()
    try:
        assert "sharper" in {entry.id for entry in catalogue.methods("denoising")}
        assert catalogue.build("sharper", width=3).width == 3
        first = job("sharper").key()
        (package / "kit.py").write_text(HELPER.replace("nn.ReLU()", "nn.Tanh()"))
        assert job("sharper").key() != first
    finally:
        outside.installed.cache_clear()
