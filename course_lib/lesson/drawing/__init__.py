"""Drawings of architectures, made from the method itself with the sizes of this very run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

import torch
from torch import Tensor

from course_lib import catalogue, device
from course_lib.cases import Batch, Cases
from course_lib.errors import CourseError
from course_lib.lesson.drawing.graph import LEARNS, Graph, traced
from course_lib.lesson.drawing.simple import network_only, simplified
from course_lib.lesson.drawing.svg import in_words, legend, summary, to_svg
from course_lib.methods.base import Method
from course_lib.tasks.base import Question, Splits, base_profile

ANSWER = "how it answers"
CASES = 8  # in the batch that is followed; some losses want several cases of each class
# On paper nothing scrolls: there a deep network is drawn smaller.
STYLE = (
    "<style>@media print{.course-drawing{overflow:visible!important}"
    ".course-drawing svg{max-width:100%;height:auto}}</style>"
)


@dataclass(frozen=True)
class Drawing:
    """The networks of one method: title → graph. As SVG in a notebook, with the same in words
    folded below each, and in words everywhere else."""

    name: str
    graphs: dict[str, Graph]

    @cached_property
    def pictures(self) -> dict[str, str]:
        """Title → SVG."""
        return {
            title: to_svg(graph, f"{self.name}, {title}") for title, graph in self.graphs.items()
        }

    def __repr__(self) -> str:
        said = []
        for title, graph in self.graphs.items():
            said.append(f"{self.name}, {title}: {summary(graph)}")
            said += [f"{number}. {line}" for number, line in enumerate(in_words(graph), 1)]
        return "\n".join(said)

    def _repr_html_(self) -> str:
        return STYLE + "".join(
            f'<figure style="margin:.6em 0"><div class="course-drawing" tabindex="0" role="group" '
            f'aria-label="{escape(f"Drawing: {self.name}, {title}", quote=True)}" '
            f'style="max-width:100%;overflow-x:auto">{self.pictures[title]}</div>'
            f"<figcaption><strong>{escape(self.name)}</strong>, {escape(title)}. "
            f"<small>{escape(legend(graph))}</small><details><summary>The drawing in words"
            f"</summary><ol>{''.join(f'<li>{escape(line)}</li>' for line in in_words(graph))}</ol>"
            "</details></figcaption></figure>"
            for title, graph in self.graphs.items()
        )


def drawing(name: str, question: Question, splits: Splits, profile: str, **options: Any) -> Drawing:
    """The networks of a method of the catalogue, with the sizes that they have in this lesson.

    Arguments:
        name: of the method, such as `red_cnn`; options: as for `catalogue.build`.
        question, splits, profile: what the lesson's trainings run on.

    Raises CourseError when the method has no network.
    """
    entry, method = catalogue.entry(name), catalogue.build(name, **options)
    if not isinstance(method, Method):
        raise CourseError(f"{entry.name} has no network that could be drawn: it does not learn.")
    generator = torch.Generator().manual_seed(0)

    def sample(cases: Cases, count: int) -> Batch:
        return question.sample(cases, base_profile(profile), count, generator)

    with device.seeded(0):
        method.fresh(splits.facts)
        return Drawing(entry.name, graphs(method, splits.train, sample))


def graphs(method: Method, train: Cases, sample: Callable[[Cases, int], Batch]) -> dict[str, Graph]:
    """Title → graph: how the method answers, and what each further player looks at.

    Arguments:
        method: fresh, for these cases' data set.
        train: training cases. sample: draws a batch of them.
    """
    found: dict[str, Graph] = {}
    for stage in method.stages:
        method.stage, method.done = stage.name, 1.0
        method.begin(stage.name, train)
        asking = _asking(method.draw(train, sample, CASES))
    with _called(method) as parts:
        try:
            answer = _graph(method, _tensors(method.eval().predict(asking)), asking)
        except KeyError:  # trained on less, or on other things, than it answers to
            asking = _asking(train.batch(slice(0, 2)))
            answer = _graph(method, _tensors(method.eval().predict(asking)), asking)
    aside = any(b.kind in LEARNS and not b.part for b in answer.blocks.values())
    found[ANSWER] = network_only(answer) if aside else answer  # without what was trained aside
    for player, loss, asking in _losses(method, train, sample):
        whole = _graph(method, [loss], asking)
        part = network_only(whole, frozenset(parts))
        if _weights(part) <= parts and _tells_more(part, found[ANSWER]):
            found[ANSWER] = part
        found.setdefault(player, network_only(whole))
    drawn: dict[str, Graph] = {}
    seen: set[str] = set()
    for title, graph in found.items():
        weights = _weights(graph)
        if len(weights - seen) > len(weights) / 2:
            drawn[title] = simplified(graph)
            seen |= weights
    return drawn


def _losses(
    method: Method, train: Cases, sample: Callable[[Cases, int], Batch]
) -> Iterator[tuple[str, Tensor, Batch]]:
    """(player, loss, the batch that it was computed from) of every stage."""
    for stage in method.stages:
        method.stage, method.done = stage.name, 1.0
        method.begin(stage.name, train)
        asking = _asking(method.draw(train, sample, CASES))
        for player, loss in method.train().losses(asking):
            yield player, loss, asking


def _tells_more(part: Graph, answer: Graph) -> bool:
    """Whether a loss shows the way to the answer where the answer itself, a set of boxes or a
    trained classifier's, has no gradient; or the warp that the answer leaves out."""
    warps = ["warp" in _kinds(graph) for graph in (part, answer)]
    more = _weights(part) > _weights(answer) and not warps[1]
    return more or (warps[0] and not warps[1] and _weights(part) >= _weights(answer))


@contextmanager
def _called(method: Method) -> Iterator[set[str]]:
    """The names of the modules that run meanwhile."""
    names: set[str] = set()
    hooks = [
        module.register_forward_hook(lambda *_, name=name: names.add(name))
        for name, module in method.named_modules()
    ]
    try:
        yield names
    finally:
        for hook in hooks:
            hook.remove()


def _weights(graph: Graph) -> set[str]:
    return {block.part for block in graph.blocks.values() if block.part}


def _kinds(graph: Graph) -> set[str]:
    return {block.kind for block in graph.blocks.values()}


def _graph(method: Method, results: list[Tensor], inputs: Batch) -> Graph:
    leaves = {name: tensor for name, tensor in inputs.items() if tensor.requires_grad}
    return traced(results, dict(method.named_children()), leaves)


def _asking(batch: Batch) -> Batch:
    """The batch with gradients asked for, so that autograd remembers where it enters."""
    return {
        name: tensor.detach().clone().requires_grad_()
        if tensor.is_floating_point() or tensor.is_complex()
        else tensor
        for name, tensor in batch.items()
    }


def _tensors(answer: Any) -> list[Tensor]:
    return list(_each(answer))


def _each(answer: Any) -> Iterator[Tensor]:
    if isinstance(answer, torch.Tensor):
        yield answer
    elif isinstance(answer, dict):
        for value in answer.values():
            yield from _each(value)
