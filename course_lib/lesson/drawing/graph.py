"""The shape of a network, read from the gradient's own path through one run of it.

Autograd remembers every operation between a network's inputs and its answer, with the size of each
result. Convolutions, poolings, joins, warps and Fourier transforms stay; what changes no shape and
learns nothing (activations, norms, scalings) is left out, and like neighbours become one block.
"""

import re
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
LEARNS = ("conv", "transposed conv", "linear")
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
            self._reshaped(node, sources)
            return sources
        shape = _shape(node._input_metadata[0].shape)
        if kind in ("+", "x", "mean") and not self.behind_weights.intersection(sources):
            return self._prepared(sources, shape)
        if kind == "warp" and all(
            self.graph.blocks[source].shape[1:] != shape[1:] for source in sources
        ):
            kind = "regions cut out"
        if kind not in ("conv", "linear"):
            same = len(sources) == 1 and self.graph.blocks[sources[0]].shape == shape
            if kind in ("mean", "pool", "enlarge") and same:
                return sources
            return [self._block(Block(kind, shape), sources)]
        return [self._block(self._weighted(node, kind, shape), sources)]

    def _reshaped(self, node, sources: list[int]) -> None:
        """A matrix product is computed in rows and columns, and then gets its map's shape."""
        if len(sources) == 1 and self.graph.blocks[sources[0]].kind == "product":
            shape = _shape(node._input_metadata[0].shape)
            self.graph.blocks[sources[0]] = replace(self.graph.blocks[sources[0]], shape=shape)

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
