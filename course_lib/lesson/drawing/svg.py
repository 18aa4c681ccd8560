"""A graph of blocks as SVG, and the same in words.

What learns is filled, what does not is white. Colours are safe for the colour-blind, and nothing
is said by colour alone. Lines take the colour of the page's text, and so show in a dark theme too.
"""

from collections.abc import Sequence
from html import escape
from zlib import crc32

from course_lib.lesson.drawing.graph import Block, Graph
from course_lib.lesson.drawing.layout import Box, Point, placed

SYMBOLS = {
    "+": ("+", "sum"),
    "x": ("×", "product, as a gate or a mask"),
    "join": ("‖", "maps joined side by side"),
    "pool": ("↓", "pooled to a smaller map"),
    "enlarge": ("↑", "enlarged"),
    "mean": ("μ", "mean over the map"),
    "pixel shuffle": ("⇱", "pixel shuffle: channels become pixels"),
}
FILLS = {
    "layers": "#cfe2f3",
    "conv": "#cfe2f3",
    "transposed conv": "#fde3c8",
    "linear": "#d5f0e3",
    "input": "#e8e8e8",
}
EDGES = {
    "layers": "#0072b2",
    "conv": "#0072b2",
    "transposed conv": "#d55e00",
    "linear": "#009e73",
    "input": "#666666",
}
LETTERS = 13  # that fit into a box, in any sans-serif font


def to_svg(graph: Graph, title: str) -> str:
    """The drawing as one SVG element with a title and a description for screen readers."""
    layout = placed(graph)
    left, top, width, height = layout.view
    name = f"d{crc32(f'{title} {in_words(graph)}'.encode()):08x}"
    lines = "".join(_line(points, name) for points in layout.lines.values())
    boxes = "".join(_drawn(graph.blocks[n], box) for n, box in layout.boxes.items())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="{name} {name}w" '
        f'viewBox="{left:.0f} {top:.0f} {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" style="font-family:sans-serif;font-size:12px">'
        f'<title id="{name}">{escape(title)}</title>'
        f'<desc id="{name}w">{escape(summary(graph))}</desc>'
        f'<defs><marker id="{name}t" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="currentColor"/></marker>'
        f"</defs>{lines}{boxes}</svg>"
    )


def legend(graph: Graph) -> str:
    """What the signs mean that occur in the drawing."""
    kinds = {block.kind for block in graph.blocks.values()}
    said = [f"{sign} {text}" for kind, (sign, text) in SYMBOLS.items() if kind in kinds]
    if any(block.runs > 1 for block in graph.blocks.values()):
        said.append("↻ run so many times with the same weights")
    if any(block.stride > 1 for block in graph.blocks.values()):
        said.append("/2 in steps of two pixels")
    start = "Filled boxes learn, dashed ones do not. Below each box: maps · their size"
    return "; ".join([start, *said]) + "."


def summary(graph: Graph) -> str:
    """One sentence: what enters, what happens, what leaves."""
    ordered = graph.ordered()
    inputs = [graph.blocks[n].words for n in ordered if graph.blocks[n].kind == "input"]
    layers = sum(block.count for block in graph.blocks.values() if block.part)
    return (
        f"{' and '.join(inputs)} through {layers} layers with weights to "
        f"{size_in_words(graph.blocks[ordered[-1]].shape)}."
    )


def in_words(graph: Graph) -> list[str]:
    """The drawing as sentences, one for each box in the order of computing: the text twin."""
    number = {node: place for place, node in enumerate(graph.ordered(), 1)}
    said = []
    for node in number:
        block = graph.blocks[node]
        sign = SYMBOLS.get(block.kind, ("", ""))[1] or block.words
        reads = " and ".join(str(number[source]) for source in graph.reads[node])
        where = f" ({block.part})" if block.part else ""
        source = f", of {reads}" if reads else ""
        said.append(f"{sign}{where}{source}: {size_in_words(block.shape)}")
    return said


def size_in_words(shape: tuple[int, ...]) -> str:
    """`(32, 56, 56)` → `32 maps of 56 × 56`."""
    if not shape:
        return "one number"
    if len(shape) == 1:
        return "1 number" if shape == (1,) else f"{shape[0]} numbers"
    maps = "1 map" if shape[0] == 1 else f"{shape[0]} maps"
    return f"{maps} of {' × '.join(map(str, shape[1:]))}"


def _line(points: Sequence[Point], name: str) -> str:
    """A line with rounded corners and a tip."""
    path = [f"M{points[0][0]:.1f},{points[0][1]:.1f}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        path += [f"L{_near(corner, before)}", f"Q{corner[0]:.1f},{corner[1]:.1f}"]
        path.append(_near(corner, after))
    path.append(f"L{points[-1][0]:.1f},{points[-1][1]:.1f}")
    return (
        f'<path d="{" ".join(path)}" fill="none" stroke="currentColor" stroke-width="1.2" '
        f'marker-end="url(#{name}t)"/>'
    )


def _near(corner: Point, other: Point) -> str:
    """The point at most six pixels from a corner, towards another one."""
    far = max(abs(other[0] - corner[0]), abs(other[1] - corner[1]), 1e-9)
    share = min(6.0, far / 2) / far
    x, y = (c + share * (o - c) for c, o in zip(corner, other, strict=True))
    return f"{x:.1f},{y:.1f}"


def _drawn(block: Block, box: Box) -> str:
    tip = f"<title>{escape(block.words)}: {size_in_words(block.shape)}</title>"
    if block.kind in SYMBOLS:
        return (
            f'<g>{tip}<circle cx="{box.x:.0f}" cy="{box.y:.0f}" r="{box.width / 2:.0f}" '
            f'fill="#ffffff" stroke="#444444"/><text x="{box.x:.0f}" y="{box.y + 5:.0f}" '
            'text-anchor="middle" fill="#111111" font-size="15">'
            f"{SYMBOLS[block.kind][0]}</text></g>"
        )
    plain = not block.part and block.kind != "input"
    fill = "#ffffff" if plain else FILLS.get(block.kind, "#ffffff")
    edge = EDGES.get(block.kind, "#444444")
    dash = ' stroke-dasharray="4 3"' if plain else ""
    left, top = box.x - box.width / 2, box.y - box.height / 2
    lines = written(block)
    again = f" ↻ {block.runs}" if block.runs > 1 else ""
    text = "".join(
        f'<tspan x="{box.x:.0f}" dy="{0 if k == 0 else 14}">{escape(line)}</tspan>'
        for k, line in enumerate(lines)
    )
    return (
        f'<g>{tip}<rect x="{left:.0f}" y="{top:.0f}" width="{box.width:.0f}" '
        f'height="{box.height:.0f}" rx="4" fill="{fill}" stroke="{edge}" stroke-width="1.5"{dash}/>'
        f'<text x="{box.x:.0f}" y="{box.y + (4 if len(lines) == 1 else -3):.0f}" '
        f'text-anchor="middle" fill="#111111">{text}</text>'
        f'<text x="{box.x:.0f}" y="{box.y + box.height / 2 + 13:.0f}" text-anchor="middle" '
        f'fill="currentColor" font-size="11">{_size(block.shape)}{again}</text></g>'
    )


def written(block: Block) -> list[str]:
    """What stands in a box: one or two lines of at most `LETTERS` letters."""
    many = f"{block.count} × " if block.count > 1 and block.kind != "input" else ""
    step = f" /{block.stride}" if block.stride > 1 else ""
    if block.kind == "transposed conv":
        lines = [f"{many}transp.", f"conv {block.size}{step}"]
    elif block.size:
        lines = [f"{many}{block.kind}", f"{block.size}{step}"]
    else:
        lines = _two_lines(f"{many}{block.name.replace('_', ' ') or block.kind}")
    return [line if len(line) <= LETTERS else f"{line[: LETTERS - 1]}…" for line in lines]


def _two_lines(text: str) -> list[str]:
    """The words of a text in one line, or in two that are about as long."""
    words = text.split(" ")
    if len(text) <= LETTERS or len(words) == 1:
        return [text]
    cuts = [(" ".join(words[:k]), " ".join(words[k:])) for k in range(1, len(words))]
    return list(min(cuts, key=lambda pair: max(map(len, pair))))


def _size(shape: tuple[int, ...]) -> str:
    if len(shape) < 2:
        return f"{shape[0]}" if shape else "1"
    return f"{shape[0]} · {'×'.join(map(str, shape[1:]))}"
