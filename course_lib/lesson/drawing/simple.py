"""A graph that is small enough to be looked at: what belongs together becomes one block."""

from collections import Counter, defaultdict
from dataclasses import replace

from course_lib.lesson.drawing.graph import JOINS, SMALL, Block, Graph


def simplified(graph: Graph, most: int = 34) -> Graph:
    """Like neighbours as one block, and what is run several times with the same weights once; at
    most about `most` blocks."""
    graph = _chains(_twins(_gates(_once(_reachable(graph)))))
    depth = max((block.part.count(".") + 1 for block in graph.blocks.values()), default=1)
    while len(graph.blocks) > most and depth > 0:
        graph = _chains(_by_part(graph, depth))
        depth -= 1
    return graph


def network_only(graph: Graph, parts: frozenset[str] | None = None) -> Graph:
    """Without what comes after the last weights and warps: the sums of a loss.

    Arguments:
        parts: the modules whose weights count; by default all.
    """
    kept: set[int] = set()
    for number in reversed(graph.ordered()):
        block = graph.blocks[number]
        wanted = block.part and (parts is None or block.part in parts)
        if wanted or block.kind == "warp" or number in kept:
            kept |= {number, *graph.reads[number]}
    return _subgraph(graph, kept)


def _reachable(graph: Graph) -> Graph:
    """Without inputs that nothing reads."""
    readers = graph.readers()
    return _subgraph(
        graph, {n for n, block in graph.blocks.items() if block.kind != "input" or readers[n]}
    )


def _subgraph(graph: Graph, kept: set[int]) -> Graph:
    blocks = {n: block for n, block in graph.blocks.items() if n in kept}
    return Graph(blocks, {n: [s for s in graph.reads[n] if s in kept] for n in blocks})


def _chains(graph: Graph) -> Graph:
    """Follows of the same operation on maps of the same size become one block."""
    readers = graph.readers()
    into: dict[int, int] = {}
    blocks, reads = dict(graph.blocks), dict(graph.reads)
    for number in graph.ordered():
        block = blocks[number]
        sources = list(dict.fromkeys(into.get(source, source) for source in reads[number]))
        reads[number] = sources
        if len(sources) != 1:
            continue
        before = blocks[sources[0]]
        alone = len({into.get(r, r) for r in readers[sources[0]]} - {sources[0]}) <= 1
        alike = (block.kind, block.size, block.stride) == (before.kind, before.size, before.stride)
        alike &= block.shape[:1] == before.shape[:1] or block.kind == "product"
        if alone and alike and block.kind not in ("input", *JOINS) and block.stride == 1:
            count = before.count + block.count
            blocks[sources[0]] = replace(before, count=count, shape=block.shape)
            into[number] = sources[0]
            readers[sources[0]] = readers[number]
            del blocks[number], reads[number]
    return Graph(blocks, reads)


def _gates(graph: Graph) -> Graph:
    """Four and more sums and products that read one another, as a recurrent cell has them, as one
    block."""
    joins = [n for n in graph.ordered() if graph.blocks[n].kind in JOINS]
    home: dict[int, tuple] = {n: (n,) for n in graph.blocks}
    for number in joins:
        for source in graph.reads[number]:
            if source in joins:
                old, new = home[source], home[number]
                home |= {n: new for n in joins if home[n] == old}
    sizes = Counter(home.values())
    multiplied = {home[n] for n in joins if graph.blocks[n].kind == "x"}
    cells = {key for key in multiplied if sizes[key] > 3}
    return _grouped(graph, {n: key if key in cells else (n,) for n, key in home.items()})


def _twins(graph: Graph) -> Graph:
    """What does not learn, and does the same between the same blocks, as one; as are inputs of one
    name."""
    readers = graph.readers()
    home: dict[int, tuple] = {}
    for number, block in graph.blocks.items():
        sides = (*graph.reads[number], -1, *sorted(readers[number]))
        same = block.name if block.kind == "input" else sides
        home[number] = (number,) if block.part else (block.kind, block.shape, same)
    return _grouped(graph, home)


def _once(graph: Graph) -> Graph:
    """Layers that are run several times, as one each."""
    parts = [block.part for block in graph.blocks.values() if block.part]
    if len(set(parts)) == len(parts):
        return graph
    return _grouped(graph, {n: (block.part or n,) for n, block in graph.blocks.items()})


def _by_part(graph: Graph, depth: int) -> Graph:
    """All blocks of one module, `depth` names deep, as one, with the joins that only it reads."""
    home: dict[int, tuple] = {}
    readers = graph.readers()
    for number in reversed(graph.ordered()):
        block = graph.blocks[number]
        read_by = {home[reader] for reader in readers[number]}
        if block.part:
            home[number] = (".".join(block.part.split(".")[:depth]),)
        elif len(read_by) == 1 and block.kind in SMALL and block.kind != "warp":
            home[number] = read_by.pop()
        else:
            home[number] = (number,)
    return _grouped(graph, home)


def _grouped(graph: Graph, home: dict[int, tuple]) -> Graph:
    """One block for each group of blocks, and for groups that read one another in a circle."""
    groups = _without_circles(home, graph)
    of = {number: numbers[-1] for numbers in groups for number in numbers}
    blocks = {of[numbers[0]]: _merged(numbers, graph) for numbers in groups}
    reads = {
        of[numbers[0]]: list(
            dict.fromkeys(of[s] for n in numbers for s in graph.reads[n] if of[s] != of[n])
        )
        for numbers in groups
    }
    return Graph(blocks, reads)


def _without_circles(home: dict[int, tuple], graph: Graph) -> list[list[int]]:
    """Groups of blocks; those that read one another in a circle become one group."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    place = {key: k for k, key in enumerate(dict.fromkeys(home.values()))}
    pairs = [(place[home[s]], place[home[n]]) for n in graph.blocks for s in graph.reads[n]]
    rows, columns = zip(*pairs, strict=True) if pairs else ((), ())
    joined = coo_array(([1] * len(pairs), (rows, columns)), shape=(len(place), len(place)))
    _, circle = connected_components(joined, connection="strong")
    together: dict[int, list[int]] = defaultdict(list)
    for number in graph.ordered():
        together[circle[place[home[number]]]].append(number)
    return list(together.values())


def _merged(numbers: list[int], graph: Graph) -> Block:
    blocks = [graph.blocks[number] for number in numbers]
    if len(blocks) == 1:
        return blocks[0]
    weighted = [block for block in blocks if block.part] or blocks
    own = {block.part or number: block for number, block in enumerate(weighted)}
    last = weighted[-1]
    count = sum(block.count for block in own.values())
    alike = {(block.kind, block.size, block.stride) for block in own.values()}
    part = last.part if len(own) == 1 else last.part.rpartition(".")[0] or last.part
    kept = replace(last, part=part, count=count, runs=len(weighted) // len(own))
    if len(alike) > 1:
        many = "sums, products" if all(block.kind in JOINS for block in blocks) else last.kind
        kept = replace(kept, size="", stride=1, kind="layers" if last.part else many)
    return replace(kept, shape=blocks[-1].shape)
