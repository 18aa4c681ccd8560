"""Drawings of architectures, made from the method itself with the sizes of this very run."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases
from course_lib.lesson.drawing.graph import Graph, network_only, simplified, traced
from course_lib.methods.base import Method


def graphs(method: Method, cases: Cases, batch: Batch) -> dict[str, Graph]:
    """Title → graph: how the method answers, and what each further player looks at.

    Arguments:
        method: made for these cases' data set.
        cases: training cases. batch: of the question's training batches, two cases or more.
    """
    asking = _asking(batch)
    with _called(method) as parts:
        answer = _graph(method, _tensors(method.eval().predict(asking)), asking)
    found = {"answer": answer}
    for player, loss, asking in _losses(method, cases, batch):
        whole = _graph(method, [loss], asking)
        part = network_only(whole, frozenset(parts))
        better = len(part.blocks) > len(found["answer"].blocks) and not _weights(answer)
        if better or ("warp" in _kinds(part) and "warp" not in _kinds(found["answer"])):
            found["answer"] = part
        found.setdefault(player, network_only(whole))
    drawn: dict[str, Graph] = {}
    seen: set[str] = set()
    for title, graph in found.items():
        if _weights(graph) - seen:
            drawn[title] = simplified(graph)
            seen |= _weights(graph)
    return drawn


def _losses(method: Method, cases: Cases, batch: Batch) -> Iterator[tuple[str, Tensor, Batch]]:
    """(player, loss, the batch that it was computed from) of every stage."""
    for stage in method.stages:
        method.stage, method.done = stage.name, 1.0
        method.begin(stage.name, cases)
        asking = _asking(batch)
        for player, loss in method.train().losses(asking):
            yield player, loss, asking


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
