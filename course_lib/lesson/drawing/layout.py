"""Where the blocks of a drawing lie, and the way of each line.

From left to right the order of computing, from top to bottom smaller and smaller maps. Blocks of
the same column and size lie in lanes, one below the other.
"""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from course_lib.lesson.drawing.graph import SMALL, Graph

WIDE, NARROW, GAP, HIGH = 92, 24, 18, 40
BELOW = 20  # room for the size of the map under a box
ARC = 7  # how much higher a line goes for each column that it jumps over
Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """Where a block lies: its middle and its sides, and the sides of its column, in pixels."""

    x: float
    y: float
    width: float
    height: float
    left: float
    right: float

    def holds(self, one: Point, other: Point) -> bool:
        """Whether a level or upright line between two points enters the box or its text."""
        (x1, y1), (x2, y2) = one, other
        top, bottom = self.y - self.height / 2, self.y + self.height / 2 + BELOW / 2
        apart_x = max(x1, x2) <= self.x - self.width / 2 or min(x1, x2) >= self.x + self.width / 2
        return not (apart_x or max(y1, y2) <= top or min(y1, y2) >= bottom)


@dataclass(frozen=True)
class Layout:
    """Block → its box, and (from, to) → the corners of the line between two blocks."""

    boxes: Mapping[int, Box]
    lines: Mapping[tuple[int, int], list[Point]]

    @property
    def view(self) -> tuple[float, float, float, float]:
        """Left, top, width and height of all."""
        ends = [point for line in self.lines.values() for point in line]
        ends += [(b.x - b.width / 2, b.y - b.height / 2) for b in self.boxes.values()]
        ends += [(b.right, b.y + b.height / 2 + BELOW) for b in self.boxes.values()]
        left, right = min(x for x, _ in ends) - GAP / 2, max(x for x, _ in ends) + GAP / 2
        top, bottom = min(y for _, y in ends) - 6, max(y for _, y in ends) + 6
        return left, top, right - left, bottom - top


def placed(graph: Graph) -> Layout:
    """The layout of a graph."""
    rank = _ranks(graph)
    lane = _lanes(graph, rank, _levels(graph))
    sides = _columns(graph, rank)
    over = {
        (source, number): rank[number] - rank[source]
        for number, sources in graph.reads.items()
        for source in sources
        if _jumps(source, number, rank, lane)
    }
    tops, y = {}, 0.0
    for place in sorted(set(lane.values())):
        reach = max((min(8, far) for (_, n), far in over.items() if lane[n] == place), default=0)
        y += 12 + ARC * reach if reach else 0
        tops[place] = y
        y += HIGH + BELOW + 14
    boxes = {}
    for number, block in graph.blocks.items():
        left, right = sides[rank[number]]
        small = block.kind in SMALL and block.kind != "warp"
        boxes[number] = Box(
            (left + right) / 2,
            tops[lane[number]] + HIGH / 2,
            NARROW if small else WIDE,
            NARROW if small else HIGH,
            left,
            right,
        )
    lines = {
        (source, number): _line(boxes, source, number, over.get((source, number), 0))
        for number, sources in graph.reads.items()
        for source in sources
    }
    return Layout(boxes, lines)


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
    """How often the map was halved; numbers stay on the level of what they were made from."""
    sides = {
        n: 0 if block.kind == "regions cut out" else max(block.shape[1:], default=0)
        for n, block in graph.blocks.items()
    }
    largest = max(1, *sides.values())
    level: dict[int, int] = {}
    for number in graph.ordered():
        above = max((level[source] for source in graph.reads[number]), default=0)
        side = sides[number]
        level[number] = round(math.log2(largest / side)) if side > 1 else above
    return level


def _lanes(graph: Graph, rank: Mapping[int, int], level: Mapping[int, int]) -> dict[int, tuple]:
    """Block → (level, lane): what lies in one column on one level, one below the other."""
    cells: dict[tuple[int, int], list[int]] = defaultdict(list)
    for number in graph.ordered():
        cells[rank[number], level[number]].append(number)
    reach = {
        n: max((rank[r] for r in readers), default=0) for n, readers in graph.readers().items()
    }
    lane: dict[int, tuple] = {}
    for (_, height), numbers in sorted(cells.items()):
        taken: set[int] = set()
        # What is read far away lies on top; what has one source stays in the lane of it.
        for number in sorted(numbers, key=lambda n: -reach[n]):
            own = [lane[s][1] for s in graph.reads[number] if level[s] == height]
            wanted = min(own, default=0)
            free = next(k for k in range(wanted, wanted + len(numbers) + 1) if k not in taken)
            taken.add(free)
            lane[number] = (height, free)
    return lane


def _columns(graph: Graph, rank: Mapping[int, int]) -> dict[int, tuple[float, float]]:
    """Column → its left and right side."""
    sides, left = {}, float(GAP)
    for column in range(max(rank.values()) + 1):
        inside = [graph.blocks[n].kind for n in rank if rank[n] == column]
        narrow = all(kind in SMALL and kind != "warp" for kind in inside)
        right = left + (NARROW if narrow else WIDE)
        sides[column] = left, right
        left = right + GAP
    return sides


def _jumps(source: int, number: int, rank: Mapping[int, int], lane: Mapping[int, tuple]) -> bool:
    """Whether other blocks lie between two blocks of a level, in the lane of the second."""
    return lane[source][0] == lane[number][0] and any(
        lane[other] in (lane[number], lane[source]) and rank[source] < rank[other] < rank[number]
        for other in rank
    )


def _line(boxes: Mapping[int, Box], source: int, number: int, over: int) -> list[Point]:
    """The corners of a line between two blocks; of several ways the one that meets fewest boxes."""
    one, other = boxes[source], boxes[number]
    start, end = (one.x + one.width / 2, one.y), (other.x - other.width / 2, other.y)
    after, before = one.right + GAP / 2, other.left - GAP / 2
    if over:
        high = other.y - HIGH / 2 - 12 - ARC * min(8, over)
        return _over(boxes, one, other, high)
    if abs(one.y - other.y) < 1:
        return [start, end]
    late = [start, (before, one.y), (before, other.y), end]
    early = [start, (after, one.y), (after, other.y), end]
    return min(late, early, key=lambda line: met(line, boxes, (source, number)))


def _over(boxes: Mapping[int, Box], one: Box, other: Box, high: float) -> list[Point]:
    """Up from a block, over others, and down; through the gaps where a box lies on the way up."""
    up = [(one.x, one.y - one.height / 2), (one.x, high)]
    if high > one.y or any(b is not one and b.holds(*up) for b in boxes.values()):
        gap = one.right + GAP / 2
        up = [(one.x + one.width / 2, one.y), (gap, one.y), (gap, high)]
    down = [(other.x, high), (other.x, other.y - other.height / 2)]
    if any(b is not other and b.holds(*down) for b in boxes.values()):
        gap = other.left - GAP / 2
        down = [(gap, high), (gap, other.y), (other.x - other.width / 2, other.y)]
    return [*up, *down]


def met(line: list[Point], boxes: Mapping[int, Box], ends: tuple[int, int]) -> int:
    """How many boxes beside its ends a line goes through."""
    pairs = list(pairwise(line))
    return sum(any(box.holds(*pair) for pair in pairs) for n, box in boxes.items() if n not in ends)
