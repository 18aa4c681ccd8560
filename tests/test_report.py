"""The report: its numbers are those of the statistics, and its page works in a real browser."""

import copy
import csv
import json
import shutil
from itertools import cycle
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from bs4 import BeautifulSoup

from course_lib.benchmark import downloads, statistics, wording
from course_lib.benchmark.leaderboard import sections
from course_lib.benchmark.report import write_report
from course_lib.errors import CourseError
from tests import synthetic_records as synthetic
from tests.browser import chromium, console_errors, viewport

SCHEMAS = Path(statistics.__file__).parent


def schema(name: str) -> jsonschema.Draft202012Validator:
    text = (SCHEMAS / f"{name}.schema.json").read_text("utf-8")
    jsonschema.Draft202012Validator.check_schema(json.loads(text))
    return jsonschema.Draft202012Validator(json.loads(text))


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> tuple[list[dict], Path]:
    store = tmp_path_factory.mktemp("runs")
    return synthetic.records(store), store


@pytest.fixture(scope="module")
def page(records, tmp_path_factory) -> Path:
    found, store = records
    folder = tmp_path_factory.mktemp("report") / "default"
    return write_report(found, store, folder, "Denoising & dose", synthetic.catalogue())


@pytest.fixture(scope="module")
def soup(page) -> BeautifulSoup:
    return BeautifulSoup(page.read_text("utf-8"), "html.parser")


def text(element) -> str:
    return " ".join(element.get_text(" ").split())


def entries(table) -> dict[str, list]:
    """Method name → cells of its row."""
    return {text(r.select_one(".name")): r.find_all("td") for r in table.select("tbody tr")}


def test_records_follow_their_schema(records):
    for record in records[0]:
        schema("record").validate(record)
    broken = dict(records[0][0])
    del broken["cases"]
    with pytest.raises(jsonschema.ValidationError, match="cases"):
        schema("record").validate(broken)
    failed = next(r for r in records[0] if r["status"] == "failed")
    with pytest.raises(jsonschema.ValidationError):
        schema("record").validate(failed | {"error": None})


def test_bench_output_schema():
    job = dict(key="a" * 64, task="t", method="m", dataset="d", profile="smoke", seed=0)
    job |= dict(options={}, status="done", wall_s=1.5, error=None)
    totals = {"done": 1, "failed": 0, "cached": 0, "refused": 0}
    whole = {"schema": 1, "store": "runs", "jobs": [job], "totals": totals, "wall_s": 2.0}
    schema("bench").validate(whole)
    with pytest.raises(jsonschema.ValidationError, match="running"):
        schema("bench").validate(whole | {"jobs": [job | {"status": "running"}]})


def test_numbers_on_the_page_are_those_of_the_statistics(records, soup):
    """Recomputed here from the raw cases, without the report's own tables."""
    rows = entries(soup.select(".leaderboard")[0])

    def table(method: str) -> np.ndarray:
        runs = [r for r in records[0] if r["job"]["method"] == method and r["status"] == "done"]
        names = [f"patient-{i}" for i in range(1, 9)]
        mean = lambda r, s: np.mean([c["scores"]["psnr"] for c in r["cases"] if c["subject"] == s])  # noqa: E731
        return np.array([[mean(run, name) for run in runs] for name in names])

    for method, (name, *_) in synthetic.METHODS.items():
        expected = statistics.interval(table(method))
        cell = rows[name][0]
        assert float(cell["data-value"]) == pytest.approx(expected.mean, abs=1e-9)
        assert cell.select_one(".value").get_text().strip("★ best\n") == f"{expected.mean:.1f}"
        assert text(cell.select_one(".limits")) == f"{expected.low:.1f} to {expected.high:.1f}"
    difference = statistics.difference_interval(table("red_cnn"), table("bm3d"))
    test = statistics.paired_test(table("red_cnn"), table("bm3d"))
    against = text(rows["RED-CNN"][1])
    assert f"+{difference.mean:.2f}" in against and "better" in against
    assert f"p {test.p:.3g} ({min(1, 3 * test.p):.3g})" in against
    assert test.p == 2 / 2**8
    assert "not shown" in text(rows["CNN-DAE"][1])
    assert "worse" in text(rows["WGAN-VGG"][1])


def test_rows_are_ranked_and_marked(soup):
    table = soup.select(".leaderboard")[0]
    heads = [text(head) for head in table.select("tbody th")]
    assert heads[0].startswith("1 RED-CNN supervised")
    assert heads[1].startswith("2 BM3D classical · no training baseline")
    assert "1 failed" in next(head for head in heads if "WGAN-VGG" in head)
    starred = {text(r.select_one(".name")) for r in table.select("tr") if r.select(".best")}
    assert "RED-CNN" in starred
    assert "9 undefined" in text(entries(table)["CNN-DAE"][3])
    assert "8 · 24 · 2" in text(entries(table)["WGAN-VGG"][-1])


def test_the_same_patient_is_reported_apart_without_intervals(soup):
    titles = [text(h) for h in soup.select("h3")]
    assert titles.index("Leaderboard: other patients") < titles.index(
        "Reported apart: same patient, held-out block"
    )
    apart = soup.select(".leaderboard")[1]
    assert "one test subject: no interval" in text(apart.caption)
    assert not apart.select("td .limits:-soup-contains(' to ')")
    assert "p 1" not in text(apart)


def test_the_page_says_what_its_numbers_cannot_show(soup):
    whole = text(soup.main)
    assert "RED-CNN ranks first" in whole
    assert "Better than BM3D, by the corrected paired test and the interval: RED-CNN (" in whole
    assert "Neither better nor worse than BM3D as far as" in whole and "CNN-DAE (" in whole
    assert "Worse than BM3D, by the corrected" in whole and "WGAN-VGG (" in whole
    assert "Non-commercial data: lung_tumours" in whole
    assert "simulated scan of measured HU" in whole
    assert "CourseError: The loss is <nan> & lost." in whole
    command = (
        "course run denoising red_cnn --dataset chest_ct+lung_tumours --profile class --seed 1"
    )
    assert command in whole


def test_every_link_and_picture_lies_in_the_folder(page, soup):
    targets = [e["href"] for e in soup.select("[href]")] + [e["src"] for e in soup.select("[src]")]
    files = [t for t in targets if not t.startswith(("#", "data:"))]
    assert len(files) > 50
    assert [t for t in files if not (page.parent / t).is_file()] == []
    assert [t[1:] for t in targets if t.startswith("#") and not soup.find(id=t[1:])] == []
    alts = [image["alt"] for image in soup.select(".strip img")]
    assert len(alts) == len(set(alts)) == 3 * (2 + 2 * 5)
    assert any(alt.startswith("Error of RED-CNN, case patient-") for alt in alts)


def test_pictures_follow_the_rule(records, soup):
    reference = next(
        r for r in records[0] if r["job"] | {"seed": 0} == r["job"] and r["job"]["method"] == "bm3d"
    )
    cases = [c for c in reference["cases"] if c["group"] == "other patients"]
    order = [c["case"] for c in sorted(cases, key=lambda c: -c["scores"]["psnr"])]
    shown = [text(h).split()[2] for h in soup.select(".strip h4")]
    assert shown == [order[0], order[len(order) // 2], order[-1]]


def test_downloads_hold_the_same_numbers(page, records):
    folder = page.parent / "data"
    board = json.loads((folder / "leaderboard.json").read_text("utf-8"))["sections"][0]["boards"][0]
    assert [row["method"] for row in board["rows"]][:2] == ["red_cnn", "bm3d"]
    lines, cases = (
        list(csv.DictReader((folder / name).read_text("utf-8").splitlines()))
        for name in ("leaderboard.csv", "cases.csv")
    )
    first = next(x for x in lines if x["method"] == "RED-CNN" and x["metric"] == "psnr")
    assert float(first["mean"]) == board["rows"][0]["scores"]["psnr"]["mean"]
    assert len(cases) == 14 * 27 * 3
    assert sum(not c["value"] for c in cases) == 9
    assert len(json.loads((folder / "records.json").read_text("utf-8"))) == len(records[0])


def test_the_same_records_give_the_same_bytes(records, page, tmp_path):
    found, store = records
    again = write_report(
        found, store, tmp_path / "again", "Denoising & dose", synthetic.catalogue()
    ).parent
    files = [p.relative_to(page.parent) for p in page.parent.rglob("*") if p.is_file()]
    assert len(files) > 60
    assert [f for f in files if (page.parent / f).read_bytes() != (again / f).read_bytes()] == []


def test_only_the_newest_record_of_a_job_counts(records, tmp_path):
    old = next(r for r in records[0] if r["status"] == "done")
    new = old | {"started": "2026-01-01T00:00:00+00:00", "key": "f" * 64}
    section = sections([new, old], synthetic.catalogue())[0]
    assert [record["key"] for record in section.records] == ["f" * 64]


def test_one_subject_one_seed_no_catalogue_and_no_pictures(tmp_path):
    """The poorest input still makes an honest page."""
    store = tmp_path / "runs"
    found = synthetic.records(store, {"other patients": 1}, seeds=1, fail=False)
    for path in store.glob("*/pictures.npz"):
        path.unlink()
    soup = BeautifulSoup(
        write_report(found, store, tmp_path / "out", "Poor", None).read_text("utf-8"), "html.parser"
    )
    whole = text(soup.main)
    assert "no interval and no test is possible" in whole
    assert "No baseline was run here" in whole
    assert "One seed: the intervals leave out" in whole
    assert not soup.select(".strip")


def test_only_failures_and_nothing_at_all(tmp_path):
    failed = [r for r in synthetic.records(tmp_path / "runs") if r["status"] == "failed"]
    page = write_report(failed, tmp_path / "runs", tmp_path / "out", "Failed", None)
    assert "The loss is &lt;nan&gt; &amp; lost." in page.read_text("utf-8")
    with pytest.raises(CourseError, match="course bench"):
        write_report([], tmp_path / "runs", tmp_path / "none", "Empty", None)
    assert not (tmp_path / "none").exists()


def test_what_lies_in_a_reports_folder_and_is_not_its_own_is_never_deleted(records, tmp_path):
    out = tmp_path / "site"
    write_report(records[0], records[1], out, "First", None)
    write_report(records[0], records[1], out, "Again", None)  # its own files may be replaced
    (out / "photos").mkdir()
    (out / "photos" / "cat.png").write_text("a cat")
    with pytest.raises(CourseError, match=r"photos/cat\.png"):
        write_report(records[0], records[1], out, "Third", None)
    (tmp_path / "homepage").mkdir()
    (tmp_path / "homepage" / "index.html").write_text("my home")
    with pytest.raises(CourseError, match=r"index\.html"):
        write_report(records[0], records[1], tmp_path / "homepage", "Oops", None)
    (tmp_path / "link").symlink_to(tmp_path / "later")
    page = write_report(records[0], records[1], tmp_path / "link", "Linked", None)
    assert (tmp_path / "link").is_symlink() and page.is_file()
    assert (out / "photos" / "cat.png").read_text() == "a cat"


def test_no_file_is_read_outside_a_records_own_folder(records, tmp_path):
    """A store may come from somebody else."""
    secret = tmp_path / "secret.txt"
    secret.write_text("password")
    store = shutil.copytree(records[1], tmp_path / "runs")
    found = copy.deepcopy(records[0])
    for pictures in store.rglob("pictures.npz"):
        (pictures.parent / "linked.ipynb").symlink_to(secret)
    for record, name in zip(found, cycle([str(secret), "../../secret.txt", "linked.ipynb"])):
        record["notebook"] = name
        record["pictures"] = record.get("pictures") and record["pictures"] | {"file": name}
    page = write_report(found, store, tmp_path / "out", "Poor", None)
    told = [path for path in page.parent.rglob("*") if path.is_file()]
    assert not any(b"password" in path.read_bytes() for path in told)


def test_damaged_pictures_are_left_out_and_the_report_is_written(records, tmp_path, caplog):
    store = shutil.copytree(records[1], tmp_path / "runs")
    for number, file in enumerate(sorted(store.rglob("pictures.npz"))):
        whole = file.read_bytes()
        file.write_bytes([b"", whole[: len(whole) // 2], b"junk" * 99][number % 3])
    assert write_report(records[0], store, tmp_path / "out", "Poor", None).is_file()
    assert "are damaged" in caplog.text


def test_no_cell_of_a_table_is_a_formula(tmp_path):
    downloads._csv(tmp_path / "a.csv", ["name", "score"], [["=HYPERLINK(1)", -1.5], ["@x", 2]])
    assert (tmp_path / "a.csv").read_text().splitlines()[1:] == ["'=HYPERLINK(1),-1.5", "'@x,2"]


def test_a_folder_that_is_no_report_is_not_replaced(records, page, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(CourseError, match="not a report"):
        write_report(records[0], records[1], tmp_path, "Oops", None)
    assert (tmp_path / "thesis.tex").is_file()
    with pytest.raises(CourseError, match="is a file"):
        write_report(records[0], records[1], tmp_path / "thesis.tex", "Oops", None)
    assert [p.name for p in page.parent.parent.iterdir()] == ["default"]  # nothing left beside


def contrast(first: tuple, second: tuple) -> float:
    """WCAG 2 contrast ratio of two sRGB colours."""

    def luminance(colour: tuple) -> float:
        c = np.array(colour) / 255
        linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    dark, light = sorted([luminance(first), luminance(second)])
    return (light + 0.05) / (dark + 0.05)


def rgb(css: str) -> tuple[int, ...]:
    return tuple(int(float(v)) for v in css[css.index("(") + 1 : -1].split(",")[:3])


def assert_legible(driver) -> None:
    """Body, muted and verdict text reach 4.5:1 on the page's paper."""
    style = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
    paper = rgb(driver.execute_script(style, "body", "backgroundColor"))
    for chosen in ("body", ".lede", ".limits", ".verdict.better", ".verdict.worse", "main a"):
        ink = rgb(driver.execute_script(style, chosen, "color"))
        assert contrast(ink, paper) >= 4.5, chosen


def test_the_page_in_chromium(page):
    from selenium.webdriver.common.keys import Keys

    with chromium() as driver:
        driver.get(page.as_uri())
        assert driver.title == "Denoising & dose"
        driver.execute_script("for (const i of document.images) i.loading = 'eager'")
        driver.execute_async_script(
            "const done = arguments[0];"
            "Promise.allSettled([...document.images].map(i => i.decode())).then(() => done())"
        )
        widths = driver.execute_script("return [...document.images].map(i => i.naturalWidth)")
        assert len(widths) > 40 and min(widths) > 0

        table = driver.find_element("css selector", ".leaderboard")
        heading = table.find_elements("css selector", "thead th")[1]
        names = lambda: [e.text for e in table.find_elements("css selector", ".name")]  # noqa: E731
        assert names()[0] == "RED-CNN"
        heading.find_element("css selector", "button").send_keys(Keys.ENTER)
        assert heading.get_attribute("aria-sort") == "descending"
        assert names()[0] == "RED-CNN"  # best first
        heading.find_element("css selector", "button").send_keys(Keys.SPACE)
        assert heading.get_attribute("aria-sort") == "ascending"
        assert names()[0] == "noisy scan"
        lower = table.find_elements("css selector", "thead th")[3].find_element(
            "tag name", "button"
        )
        lower.click()
        assert names()[0] == "RED-CNN"  # the smallest error
        assert len(table.find_elements("css selector", "[aria-sort]")) == 1

        assert_legible(driver)
        viewport(driver, 390, 844)
        wide = driver.execute_script("return document.documentElement.scrollWidth")
        assert wide == 390
        scheme = {"name": "prefers-color-scheme", "value": "dark"}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        assert_legible(driver)
        assert console_errors(driver) == []


@pytest.mark.parametrize("width", [1366, 390])
def test_the_contents_lead_to_every_part_by_keyboard_at_any_width(page, width):
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    arrived = (
        "const box = document.getElementById(arguments[0]).getBoundingClientRect();"
        "return Math.abs(box.top) < 60 || innerHeight + scrollY >= document.body.scrollHeight - 2"
    )
    still = {"name": "prefers-reduced-motion", "value": "reduce"}
    with chromium(width) as driver:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [still]})
        driver.get(page.as_uri())
        links = driver.find_elements("css selector", "#contents a")
        assert len(links) == 4 and all(link.is_displayed() for link in links)
        active = lambda: driver.switch_to.active_element  # noqa: E731
        active().send_keys(Keys.TAB)  # "Skip to the results" comes first
        for link in links:
            active().send_keys(Keys.TAB)
            assert active() == link
            active().send_keys(Keys.ENTER)
            place = link.get_attribute("hash")[1:]
            WebDriverWait(driver, 20).until(lambda d, p=place: d.execute_script(arrived, p))
            driver.execute_script("arguments[0].focus()", link)
        wide = driver.execute_script("return document.documentElement.scrollWidth")
        assert wide == width  # a table that is too wide scrolls in its own frame
        scrolls = "return [...document.querySelectorAll('.scroll')].every(e => e.tabIndex === 0)"
        assert driver.execute_script(scrolls)
        beside = driver.find_element("id", "contents").rect
        assert (beside["width"] < 300) == (width > 1000)


@pytest.mark.parametrize("dark", [False, True])
def test_a_banner_is_legible_in_light_and_dark(tmp_path, dark):
    found = synthetic.records(tmp_path / "runs", seeds=1, fail=False)
    for record in found:
        record["job"]["profile"] = "smoke"
    page = write_report(found, tmp_path / "runs", tmp_path / "out", "Smoke", synthetic.catalogue())
    with chromium(dark=dark) as driver:
        driver.get(page.as_uri())
        style = "return getComputedStyle(document.querySelector('.banner'))[arguments[0]]"
        ink, paper = (rgb(driver.execute_script(style, s)) for s in ("color", "backgroundColor"))
        assert contrast(ink, paper) >= 7
        assert console_errors(driver) == []


def test_ids_and_names_of_regions_are_unique(soup):
    ids = [element["id"] for element in soup.select("[id]")]
    assert len(ids) == len(set(ids))
    regions = [e["aria-label"] for e in soup.select("section[aria-label], aside, [role=region]")
               if e.has_attr("aria-label")]  # fmt: skip
    assert len(regions) == len(set(regions))
    assert all(image.get("alt") for image in soup.select("img"))


@pytest.mark.parametrize(
    ("metric", "unit", "name"),
    [
        ("tre_mm", "mm", "TRE"),
        ("folding_percent", "%", "Folding"),
        ("rotation_degrees", "°", "Rotation"),
        ("rmse_soft", "HU", "RMSE soft"),
        ("psnr", "dB", "PSNR"),
        ("dice_smallest", "", "Dice smallest"),
    ],
)
def test_metrics_are_named_without_their_unit(metric, unit, name):
    assert wording.metric_name(metric, {"unit": unit}) == name
