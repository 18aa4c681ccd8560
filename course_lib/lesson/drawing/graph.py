"""The shape of a network, read from the gradient's own path through one run of it.

Autograd remembers every operation between a network's inputs and its answer, with the size of each
result. Convolutions, poolings, joins, warps and Fourier transforms stay; what changes no shape and
learns nothing (activations, norms, scalings) is left out, and like neighbours become one block.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

KEPT = (
    (r"^Convolution", "conv"),
    (r"^(Addmm|Mm|Bmm|Linear|MkldnnLinear)", "linear"),
    (r"^(MaxPool|AvgPool|AdaptiveMaxPool)", "pool"),
    (r"^(Mean|AdaptiveAvgPool|MkldnnAdaptiveAvgPool|Amax|Max)", "mean"),
    (r"^Upsample", "enlarge"),
    (r"^PixelShuffle", "pixel shuffle"),
    (r"^Cat", "join"),
    (r"^Stack", "join"),
    (r"^(Add|Sub)", "+"),
    (r"^Mul", "x"),
    (r"^GridSampler", "warp"),
    (r"^FftC2C", "Fourier transform"),
)
JOINS = ("join", "+", "x")
SMALL = (*JOINS, "pool", "enlarge", "warp", "pixel shuffle", "mean")


@dataclass(frozen=True)
class Block:
    """One box of a drawing.

    Arguments:
        kind: what it does: `conv`, `pool`, `join`, `input`, …
        shape: of its result, without the batch: channels first.
        part: the module that its weights belong to, such as `encoder.2`; empty without weights.
        size: of a convolution's kernel, such as `3x3`; stride: its step, above 1 for a smaller map.
        count: how many such operations follow one another in it.
        runs: how often it is run with the same weights.
        name: of an input.
    """

    kind: str
    shape: tuple[int, ...]
    part: str = ""
    size: str = ""
    stride: int = 1
    count: int = 1
    runs: int = 1
    name: str = ""

    @property
    def words(self) -> str:
        """What the box says."""
        if self.kind == "input":
            return self.name
        many = f"{self.count} × " if self.count > 1 else ""
        step = f", step {self.stride}" if self.stride > 1 else ""
        again = f", run {self.runs} times" if self.runs > 1 else ""
        return f"{many}{self.kind}{' ' + self.size if self.size else ''}{step}{again}"


@dataclass
class Graph:
    """Blocks by number, and for each the numbers of those that it reads."""

    blocks: dict[int, Block] = field(default_factory=dict)
    reads: dict[int, list[int]] = field(default_factory=dict)

    def readers(self) -> dict[int, list[int]]:
        """For each block, those that read it."""
        found: dict[int, list[int]] = {number: [] for number in self.blocks}
        for number, sources in self.reads.items():
            for source in sources:
                found[source].append(number)
        return found

    def ordered(self) -> list[int]:
        """The numbers, each after all that it reads."""
        done: dict[int, None] = {}
        waiting = [number for number in reversed(self.blocks)]
        while waiting:
            number = waiting[-1]
            missing = [source for source in self.reads[number] if source not in done]
            if number in done or not missing:
                done.setdefault(waiting.pop())
            else:
                waiting += missing
        return list(done)


def traced(
    results: Iterable[Tensor], modules: Mapping[str, nn.Module], inputs: Mapping[str, Tensor]
) -> Graph:
    """The graph from named inputs (leaves that ask for a gradient) to `results`."""
    parts = {
        id(parameter): f"{name}.{path}".rpartition(".")[0]
        for name, module in modules.items()
        for path, parameter in module.named_parameters()
    }
    names = {id(tensor): name for name, tensor in inputs.items()}
    reading = _Reading(parts, names)
    for result in results:
        if result.grad_fn is not None:
            reading.reached(result.grad_fn)
    return reading.graph


@dataclass
class _Reading:
    """A walk from a result back to its inputs."""

    parts: Mapping[int, str]
    names: Mapping[int, str]
    graph: Graph = field(default_factory=Graph)
    behind_weights: set[int] = field(default_factory=set)
    found: dict = field(default_factory=dict)  # autograd's node → the blocks that it stands for
    alive: list = field(default_factory=list)  # nodes are compared by identity: none may be freed

    def reached(self, top) -> list[int]:
        """The numbers of the blocks whose results enter at `top`; without recursion."""
        waiting = [top]
        while waiting:
            node = waiting[-1]
            before = [each for each, _ in node.next_functions if each is not None]
            missing = [each for each in before if each not in self.found]
            if node in self.found or not missing:
                waiting.pop()
                if node not in self.found:
                    self.found[node] = self._add(node, before)
                    self.alive.append(node)
            else:
                waiting += missing
        return self.found[top]

    def _add(self, node, before: list) -> list[int]:
        sources = list(dict.fromkeys(n for each in before for n in self.found[each]))
        variable = getattr(node, "variable", None)
        if variable is not None:
            name = self.names.get(id(variable))
            return (
                []
                if name is None
                else [self._block(Block("input", _shape(variable.shape), name=name), [])]
            )
        kind = _kind(node)
        if kind in ("conv", "linear") and not sources:
            sources = self._unnamed(node)
        if kind is None or (kind in JOINS and len(sources) < 2) or not sources:
            return sources
        shape = _shape(node._input_metadata[0].shape)
        if kind in ("+", "x", "mean") and not self.behind_weights.intersection(sources):
            return self._prepared(sources, shape)
        if kind not in ("conv", "linear"):
            same = len(sources) == 1 and self.graph.blocks[sources[0]].shape == shape
            if kind in ("mean", "pool", "enlarge") and same:
                return sources
            return [self._block(Block(kind, shape), sources)]
        return [self._block(self._weighted(node, kind, shape), sources)]

    def _unnamed(self, node) -> list[int]:
        """What enters without a name: random numbers, or pictures that were made before."""
        before = getattr(node, "_saved_input", None)
        before = getattr(node, "_saved_mat1", None) if before is None else before
        if before is None:
            return []
        shape = _shape(before.shape)
        name = "noise" if all(side == 1 for side in shape[1:]) else "pictures"
        return [self._block(Block("input", shape, name=name), [])]

    def _prepared(self, sources: list[int], shape: tuple[int, ...]) -> list[int]:
        """Inputs that are scaled, or centred by a mean of their own: the inputs themselves."""
        blocks = self.graph.blocks
        return [n for n in sources if blocks[n].shape == shape] or sources

    def _weighted(self, node, kind: str, shape: tuple[int, ...]) -> Block:
        leaves = [each.variable for each, _ in node.next_functions if hasattr(each, "variable")]
        part = next((self.parts[id(leaf)] for leaf in leaves if id(leaf) in self.parts), "")
        if kind == "linear":
            return Block(kind if part else "product", shape, part)
        weight, transposed = node._saved_weight, node._saved_transposed
        size = "x".join(map(str, weight.shape[2:]))
        return Block(
            "transposed conv" if transposed else "conv", shape, part, size, max(node._saved_stride)
        )

    def _block(self, block: Block, sources: list[int]) -> int:
        number = len(self.graph.blocks)
        self.graph.blocks[number], self.graph.reads[number] = block, sources
        if block.part or self.behind_weights.intersection(sources):
            self.behind_weights.add(number)
        return number


def _kind(node) -> str | None:
    name = node.name().removeprefix("torch::autograd::")
    for pattern, kind in KEPT:
        if re.match(pattern, name):
            return kind
    own = isinstance(node, torch.autograd.function.BackwardCFunction)  # written in this course
    return "projector" if own and name == "_LinearBackward" else None


def _shape(shape: Iterable[int]) -> tuple[int, ...]:
    """Without the batch."""
    return tuple(int(side) for side in list(shape)[1:])


def simplified(graph: Graph, most: int = 34) -> Graph:
    """Like neighbours as one block, and what is run several times with the same weights once; at
    most about `most` blocks."""
    graph = _chains(_once(_reachable(graph)))
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
    readers, into = graph.readers(), {}
    blocks, reads = dict(graph.blocks), dict(graph.reads)
    for number in graph.ordered():
        block = blocks[number]
        sources = list(dict.fromkeys(into.get(source, source) for source in reads[number]))
        reads[number] = sources
        if len(sources) != 1:
            continue
        before = blocks[sources[0]]
        alone = len({into.get(r, r) for r in readers[sources[0]]} - {sources[0]}) <= 1
        alike = (block.kind, block.size, block.shape[:1], block.stride) == (
            before.kind, before.size, before.shape[:1], before.stride
        )  # fmt: skip
        if alone and alike and block.kind not in ("input", *JOINS) and block.stride == 1:
            count = before.count + block.count
            blocks[sources[0]] = replace(before, count=count, shape=block.shape)
            into[number] = sources[0]
            readers[sources[0]] = readers[number]
            del blocks[number], reads[number]
    return Graph(blocks, reads)


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
    members = defaultdict(list)
    for number, key in home.items():
        members[key].append(number)
    members = _without_circles(members, home, graph)
    of = {number: numbers[-1] for numbers in members for number in numbers}
    blocks = {of[numbers[0]]: _merged(numbers, graph) for numbers in members}
    reads = {
        of[numbers[0]]: list(
            dict.fromkeys(of[s] for n in numbers for s in graph.reads[n] if of[s] != of[n])
        )
        for numbers in members
    }
    return Graph(blocks, reads)


def _without_circles(members: dict, home: dict[int, tuple], graph: Graph) -> list[list[int]]:
    """Groups of blocks; those that read one another in a circle become one group."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    place = {key: k for k, key in enumerate(members)}
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
        kept = replace(kept, size="", stride=1, kind="layers" if last.part else kept.kind)
    return replace(kept, shape=blocks[-1].shape)
