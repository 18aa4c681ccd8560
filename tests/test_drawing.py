"""Drawings of architectures: every method that learns, as it is drawn in a lesson."""

import re
from functools import cache
from xml.etree import ElementTree

import pytest
from bs4 import BeautifulSoup
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from course_lib import catalogue
from course_lib.errors import CourseError
from course_lib.lesson import show
from course_lib.lesson.drawing import svg as drawn
from course_lib.lesson.drawing.layout import met, placed
from course_lib.methods.base import Method
from tests.cases import kinds, smoke_splits

LEARNED = [
    entry.id for entry in catalogue.METHODS if issubclass(catalogue.method_class(entry.id), Method)
]
SVG = "{http://www.w3.org/2000/svg}"
FONT = FontProperties(family="DejaVu Sans")  # the widest of the fonts that browsers take


@cache
def drawing(name, **options):
    question, dataset = next(kinds(catalogue.entry(name)))
    return show.drawing(
        name, question, smoke_splits(question_section(name), dataset), "smoke", **options
    )


def question_section(name):
    return catalogue.entry(name).section


def pictures(name):
    return [ElementTree.fromstring(text) for text in drawing(name).pictures.values()]


def width(text, size):
    return TextPath((0, 0), text, size=size, prop=FONT).get_extents().width


def written(picture):
    """(text, its middle, its base line, its width) of all that is written."""
    for element in picture.iter(f"{SVG}text"):
        size = float(element.get("font-size", 12))
        lines = element.findall(f"{SVG}tspan") or [element]
        y = float(element.get("y"))
        for line in lines:
            y += float(line.get("dy", 0))
            yield line.text, float(element.get("x")), y, width(line.text, size)


@pytest.mark.parametrize("name", LEARNED)
def test_nothing_of_a_drawing_lies_outside_its_view(name):
    for picture in pictures(name):
        left, top, wide, high = map(float, picture.get("viewBox").split())
        for box in picture.iter(f"{SVG}rect"):
            x, y, w, h = (float(box.get(side)) for side in ("x", "y", "width", "height"))
            assert left <= x and top <= y and x + w <= left + wide and y + h <= top + high
        for circle in picture.iter(f"{SVG}circle"):
            x, y, r = (float(circle.get(side)) for side in ("cx", "cy", "r"))
            assert left <= x - r and top <= y - r
            assert x + r <= left + wide and y + r <= top + high
        for text, x, y, w in written(picture):
            assert left <= x - w / 2 and x + w / 2 <= left + wide, text
            assert top <= y - 9 and y + 2 <= top + high, text
        for line in picture.findall(f"{SVG}path"):
            points = re.findall(r"(-?[\d.]+),(-?[\d.]+)", line.get("d"))
            for x, y in ((float(x), float(y)) for x, y in points):
                assert left <= x <= left + wide and top <= y <= top + high


@pytest.mark.parametrize("name", LEARNED)
def test_every_text_fits_into_its_box_or_between_its_neighbours(name):
    for picture in pictures(name):
        for group in picture.findall(f"{SVG}g"):
            box = group.find(f"{SVG}rect")
            if box is None:
                continue
            inside, below = group.findall(f"{SVG}text")
            for line in inside:
                assert width(line.text, 12) <= float(box.get("width")) - 2, line.text
            assert width(below.text, 11) <= float(box.get("width")) + 16, below.text


@pytest.mark.parametrize("name", LEARNED)
def test_the_words_name_every_box_and_what_it_reads(name):
    shown = BeautifulSoup(drawing(name)._repr_html_(), "html.parser")
    graphs = list(drawing(name).graphs.values())
    lists = shown.find_all("ol")
    assert len(lists) == len(shown.find_all("svg")) == len(graphs)
    for graph, words, picture in zip(graphs, lists, shown.find_all("svg"), strict=True):
        lines = [each.text for each in words.find_all("li")]
        assert len(lines) == len(graph.blocks) == len(picture.find_all("g"))
        for line, number in zip(lines, graph.ordered(), strict=True):
            block = graph.blocks[number]
            said = drawn.SYMBOLS[block.kind][1] if block.kind in drawn.SYMBOLS else block.words
            assert line.startswith(said) and line.endswith(drawn.size_in_words(block.shape))
        assert picture["role"] == "img"
        for name_id in picture["aria-labelledby"].split():
            assert picture.find(id=name_id).text.strip()


CROSSED = {"jsr_net": 11}
"""Lines that meet a box: two domains whose rounds read each other's states."""


@pytest.mark.parametrize("name", LEARNED)
def test_a_drawing_is_small_enough_to_be_looked_at_and_its_lines_meet_no_box(name):
    for graph in drawing(name).graphs.values():
        assert 3 <= len(graph.blocks) <= 36
        layout = placed(graph)
        meeting = sum(met(line, layout.boxes, ends) for ends, line in layout.lines.items())
        assert meeting <= CROSSED.get(name, 2)


def kinds_of(name, title="how it answers", **options):
    graph = drawing(name, **options).graphs[title]
    return [block.kind for block in graph.blocks.values()]


def test_a_u_net_shows_its_skips_and_without_them_none():
    assert kinds_of("unet").count("join") == kinds_of("unet").count("pool") == 3
    assert kinds_of("unet", skips=False).count("join") == 0


def test_red_cnn_shows_three_sums():
    assert kinds_of("red_cnn").count("+") == 3


@pytest.mark.parametrize(
    ("name", "player"),
    [
        ("wgan_vgg", "critic"),
        ("segan", "critic"),
        ("dagan", "discriminator"),
        ("pix2pix", "discriminator"),
        ("dcgan", "discriminator"),
        ("liver_dcgan", "discriminator, benign"),
    ],
)
def test_a_gan_shows_its_two_players(name, player):
    assert {"how it answers", player} <= set(drawing(name).graphs)


def test_a_cycle_shows_both_generators_with_both_discriminators():
    titles = list(drawing("cyclegan").graphs)
    assert titles[0] == "how it answers" and len(titles) == 2


@pytest.mark.parametrize("name", ["voxelmorph", "icnet"])
def test_a_registration_shows_both_images_and_how_its_field_follows_its_start(name):
    graph = drawing(name).graphs["how it answers"]
    given = {n: block.name for n, block in graph.blocks.items() if block.kind == "input"}
    assert set(given.values()) == {"fixed", "moved", "start"}
    (warp,) = (n for n, block in graph.blocks.items() if block.kind == "warp")
    behind, fresh = set(), {warp}
    while fresh:
        behind |= fresh
        fresh = {source for n in fresh for source in graph.reads[n]} - behind
    assert set(given) <= behind


def test_two_branches_a_cascade_and_a_detector_are_recognised():
    images = [b for b in drawing("agcnn_thorax").graphs["how it answers"].blocks.values()]
    assert sum(block.size == "7x7" for block in images) == 2
    assert kinds_of("deep_cascade").count("Fourier transform") > 4
    assert "regions cut out" in kinds_of("faster_rcnn")
    assert kinds_of("lstm").count("sums, products") == 1


def test_the_same_drawing_is_made_twice():
    question, dataset = next(kinds(catalogue.entry("pix2pix")))
    splits = smoke_splits("translation", dataset)
    again = show.drawing("pix2pix", question, splits, "smoke")
    assert again._repr_html_() == drawing("pix2pix")._repr_html_()


def test_what_does_not_learn_has_no_drawing():
    with pytest.raises(CourseError, match="median filter has no network"):
        drawing("median")
