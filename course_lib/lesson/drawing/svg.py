"""A graph of blocks as SVG, and the same in words.

From left to right the order of computing, from top to bottom smaller and smaller maps. What learns
is filled, what does not is white. Colours are safe for the colour-blind, and nothing is said by
colour alone.
"""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from course_lib.lesson.drawing.graph import Block, Graph

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
WIDE, NARROW, GAP, HIGH = 84, 24, 16, 40


@dataclass(frozen=True)
class Box:
    """Where a block lies: its middle and its sides, in pixels."""

    x: float
    y: float
    width: float
    height: float


def svg(graph: Graph, title: str) -> str:
    """The drawing as one SVG element with a title and a description for screen readers."""
    boxes, level = _placed(graph)
    arcs = _arcs(graph, boxes, level)
    top = min(
        [box.y - box.height / 2 for box in boxes.values()] + [arc[1] for arc in arcs.values()]
    )
    width = max(box.x + box.width / 2 for box in boxes.values()) + GAP
    height = max(box.y for box in boxes.values()) + HIGH / 2 + 40
    parts = [_line(boxes[s], boxes[n], arcs.get((s, n))) for n in boxes for s in graph.reads[n]]
    parts += [_drawn(graph.blocks[number], box) for number, box in boxes.items()]
    name = f"d{abs(hash((title, width, height))) % 10**8}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="{name}" '
        f'viewBox="0 {top - 8:.0f} {width:.0f} {height - top + 8:.0f}" width="{width:.0f}" '
        f'style="max-width:none;font-family:sans-serif;font-size:12px">'
        f'<title id="{name}">{escape(title)}: {escape(summary(graph))}</title>'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="currentColor"/></marker>'
        f"</defs>{''.join(parts)}</svg>"
    )


def legend(graph: Graph) -> str:
    """What the symbols mean that occur in the drawing."""
    kinds = {block.kind for block in graph.blocks.values()}
    said = [f"{sign} {text}" for kind, (sign, text) in SYMBOLS.items() if kind in kinds]
    if any(block.runs > 1 for block in graph.blocks.values()):
        said.append("↻ run so many times with the same weights")
    return "; ".join(["filled: learns", "white: does not learn", *said])


def summary(graph: Graph) -> str:
    """One sentence: what enters, what happens, what leaves."""
    ordered = graph.ordered()
    inputs = [graph.blocks[n].name for n in ordered if graph.blocks[n].kind == "input"]
    layers = sum(block.count for block in graph.blocks.values() if block.part)
    return (
        f"{' and '.join(inputs)} through {layers} layers with weights to "
        f"{size_in_words(graph.blocks[ordered[-1]].shape)}."
    )


def in_words(graph: Graph) -> list[str]:
    """The drawing as numbered sentences: the text twin."""
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
        return f"{shape[0]} numbers"
    maps = "1 map" if shape[0] == 1 else f"{shape[0]} maps"
    return f"{maps} of {' × '.join(map(str, shape[1:]))}"


def _ranks(graph: Graph) -> dict[int, int]:
    """Columns: after all that is read; inputs just before their first reader."""
    rank: dict[int, int] = {}
    for number in graph.ordered():
        rank[number] = max((rank[source] + 1 for source in graph.reads[number]), default=0)
    for number, readers in graph.readers().items():
        if not graph.reads[number] and readers:
            rank[number] = min(rank[reader] for reader in readers) - 1
    return rank


def _levels(graph: Graph) -> dict[int, int]:
    """Rows: how often the map was halved; numbers stay in the row of what they were made from."""
    sides = {n: max(block.shape[1:], default=0) for n, block in graph.blocks.items()}
    largest, level = max(1, *sides.values()), {}
    for number in graph.ordered():
        above = max((level[source] for source in graph.reads[number]), default=0)
        side = sides[number]
        level[number] = round(math.log2(largest / side)) if side > 1 else above
    rows = {value: row for row, value in enumerate(sorted(set(level.values())))}
    return {number: rows[value] for number, value in level.items()}


def _placed(graph: Graph) -> tuple[dict[int, Box], dict[int, int]]:
    """Each block's box, and its row."""
    rank, level = _ranks(graph), _levels(graph)
    cells = defaultdict(list)
    for number in graph.ordered():
        cells[rank[number], level[number]].append(number)
    reach = {
        n: max((rank[r] for r in readers), default=0) for n, readers in graph.readers().items()
    }
    for numbers in cells.values():
        numbers.sort(key=lambda n: -reach[n])  # far lines start on top, and cross no box
    small = {n: graph.blocks[n].kind in SYMBOLS for n in graph.blocks}
    columns, left = {}, float(GAP)
    for column in range(max(rank.values()) + 1):
        inside = [n for n in rank if rank[n] == column]
        side = NARROW if all(small[n] for n in inside) else WIDE
        columns[column] = left + side / 2
        left += side + GAP
    spans = _spans(graph, rank, level)
    tops, y = {}, 0.0
    for row in range(max(level.values()) + 1):
        y += 14 + (16 + 7 * spans[row] if spans[row] else 0)
        tops[row] = y
        lanes = max(len(numbers) for (_, r), numbers in cells.items() if r == row)
        y += lanes * (HIGH + 34)
    boxes = {
        number: Box(
            columns[column],
            tops[row] + HIGH / 2 + lane * (HIGH + 34),
            NARROW if small[number] else WIDE,
            NARROW if small[number] else HIGH,
        )
        for (column, row), numbers in cells.items()
        for lane, number in enumerate(numbers)
    }
    return boxes, level


def _spans(graph: Graph, rank: Mapping[int, int], level: Mapping[int, int]) -> dict[int, int]:
    """Row → how far the longest jump within it reaches over other blocks, in columns."""
    spans: dict[int, int] = defaultdict(int)
    for number, sources in graph.reads.items():
        for source in sources:
            if _blocked(source, number, rank, level):
                reach = min(8, rank[number] - rank[source])
                spans[level[number]] = max(spans[level[number]], reach)
    return spans


def _blocked(source: int, number: int, rank: Mapping[int, int], level: Mapping[int, int]) -> bool:
    """Whether other blocks lie between two blocks of a row."""
    if level[source] != level[number]:
        return False
    return any(
        level[other] == level[number] and rank[source] < rank[other] < rank[number]
        for other in rank
    )


def _arcs(
    graph: Graph, boxes: Mapping[int, Box], level: Mapping[int, int]
) -> dict[tuple[int, int], tuple[float, float]]:
    """(from, to) → (start, top) of those lines that go over other blocks of their row."""
    rank = _ranks(graph)
    return {
        (source, number): (boxes[source].x, boxes[number].y - HIGH / 2 - 12
                           - 7 * min(8, rank[number] - rank[source]))
        for number, sources in graph.reads.items()
        for source in sources
        if _blocked(source, number, rank, level)
    }  # fmt: skip


def _line(one: Box, other: Box, arc: tuple[float, float] | None) -> str:
    style = 'fill="none" stroke="currentColor" stroke-width="1.2" marker-end="url(#tip)"'
    if arc:
        high = arc[1]
        start, end = one.y - one.height / 2, other.y - other.height / 2
        return (
            f'<path {style} d="M{one.x:.0f},{start:.0f} C{one.x:.0f},{high:.0f} '
            f"{one.x:.0f},{high:.0f} {one.x + 14:.0f},{high:.0f} L{other.x - 14:.0f},{high:.0f} "
            f'C{other.x:.0f},{high:.0f} {other.x:.0f},{high:.0f} {other.x:.0f},{end:.0f}"/>'
        )
    x1, x2 = one.x + one.width / 2, other.x - other.width / 2
    if abs(one.y - other.y) < 1:
        return f'<path {style} d="M{x1:.0f},{one.y:.0f} L{x2:.0f},{other.y:.0f}"/>'
    middle = max(x1 + 8, x2 - 12)
    return (
        f'<path {style} d="M{x1:.0f},{one.y:.0f} L{middle - 6:.0f},{one.y:.0f} '
        f"Q{middle:.0f},{one.y:.0f} {middle:.0f},{one.y + math.copysign(6, other.y - one.y):.0f} "
        f"L{middle:.0f},{other.y - math.copysign(6, other.y - one.y):.0f} "
        f'Q{middle:.0f},{other.y:.0f} {x2:.0f},{other.y:.0f}"/>'
    )


def _drawn(block: Block, box: Box) -> str:
    fill = FILLS.get(block.kind, "#ffffff") if block.part or block.kind == "input" else "#ffffff"
    edge = EDGES.get(block.kind, "#444444")
    tip = f"<title>{escape(block.words)}: {size_in_words(block.shape)}</title>"
    if block.kind in SYMBOLS:
        return (
            f'<g>{tip}<circle cx="{box.x:.0f}" cy="{box.y:.0f}" r="{box.width / 2:.0f}" '
            f'fill="#ffffff" stroke="#444444"/><text x="{box.x:.0f}" y="{box.y + 5:.0f}" '
            f'text-anchor="middle" fill="#111111" font-size="15">{SYMBOLS[block.kind][0]}</text></g>'
        )
    dash = "" if block.part or block.kind == "input" else ' stroke-dasharray="4 3"'
    left, top = box.x - box.width / 2, box.y - box.height / 2
    lines = _lines(block)
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


def _lines(block: Block) -> list[str]:
    """What stands in a box, in one or two short lines."""
    if block.kind == "input":
        return [block.name[:14]]
    many = f"{block.count} × " if block.count > 1 else ""
    step = f" /{block.stride}" if block.stride > 1 else ""
    if block.kind == "transposed conv":
        return [f"{many}transp.", f"conv {block.size}{step}"]
    if block.size:
        return [f"{many}{block.kind}", f"{block.size}{step}"]
    return [f"{many}{word}" if not k else word for k, word in enumerate(block.kind.split(" ", 1))]


def _size(shape: tuple[int, ...]) -> str:
    if len(shape) < 2:
        return f"{shape[0]}" if shape else "1"
    return f"{shape[0]} · {'×'.join(map(str, shape[1:]))}"
