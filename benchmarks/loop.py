"""What each lever of the training loop gives, and what the loop itself costs, in one run.

    python benchmarks/loop.py [--rounds 15]

Four typical methods, one core, the same batch at every step. In each round every setting does one
step, so that busy neighbours hit all alike; the table holds medians of processor time, and ratios
to the loop as it is (channels last where the data are images, all weights stepped at once). *bare*:
the same step by hand, without stages, rates, precision and bookkeeping.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from course_lib import catalogue
from course_lib import device as devices
from course_lib.fit import _Training
from course_lib.learning import entered, laid_out
from course_lib.tasks.base import Plan

METHODS = {
    "RED-CNN, 2D": ("denoising", "chest_ct", "red_cnn", {}),
    "U-Net, 3D": ("segmentation", "brain_3d", "unet", {"dims": 3}),
    "pix2pix, GAN": ("translation", "mr_to_ct/aligned", "pix2pix", {}),
    "WGAN-VGG, GAN": ("denoising", "chest_ct", "wgan_vgg", {}),
}
PLAIN = {"mixed": False, "clip": None, "average": 0.0, "warm_up": 0}
SETTINGS: dict[str, dict] = {
    "loop": {},
    "bare": {},
    "channels not last": {},
    "weights one by one": {},
    "bfloat16": {"mixed": True},
    "clipped": {"clip": 1.0},
    "averaged": {"average": 0.99},
}
MANY = 10_000


def stepper(setting: str, made: tuple, stack: ExitStack) -> Callable[[], object]:
    """What does one step of a method in a setting."""
    section, dataset, name, options = made
    question = catalogue.question(section, dataset)
    splits = question.make(dataset, "class", 0)
    plan, method = question.plan("class"), catalogue.build(name, **options)
    vars(method).update(PLAIN | SETTINGS[setting])
    method.fresh(splits.facts)
    if setting == "channels not last":
        for parameter in method.parameters():
            parameter.data = parameter.data.contiguous()
    else:
        laid_out(method)
    drawn = question.sample(
        splits.train, "class", method.batch or plan.batch, torch.Generator().manual_seed(0)
    )
    turn = stack.enter_context(entered(method, method.stages[-1], splits.train))
    turn.train()
    if setting == "weights one by one":
        for optimiser in turn.optimisers.values():
            for group in optimiser.param_groups:
                group["fused"] = None

    def by_hand() -> None:
        batch = method.draw(splits.train, lambda cases, count: drawn, plan.batch)
        for player, loss in method.losses(batch):
            turn.optimisers[player].zero_grad(set_to_none=True)
            loss.backward(inputs=turn.players[player])
            turn.optimisers[player].step()

    if setting == "bare":
        return by_hand
    training = _Training(
        method, question, splits, Plan(MANY, plan.batch), lambda cases, count: dict(drawn), None
    )
    steps: Iterator[int] = iter(range(MANY))
    return lambda: training.step(turn, next(steps), MANY)


def measured(made: tuple, rounds: int) -> dict[str, float]:
    """Setting → milliseconds of a step."""
    with ExitStack() as stack:
        torch.manual_seed(0)
        work = {setting: stepper(setting, made, stack) for setting in SETTINGS}
        times: dict[str, list[float]] = {setting: [] for setting in SETTINGS}
        for number in range(rounds + 2):
            for setting, step in work.items():
                start = time.process_time()
                step()
                if number > 1:
                    times[setting].append(1000 * (time.process_time() - start))
    return {setting: statistics.median(found) for setting, found in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    half = devices.precision(True, torch.device("cpu"))
    print(f"{devices.processor_name()}, one thread, torch {torch.__version__}, mixed: {half}\n")
    print(f"| method | ms a step | {' | '.join(list(SETTINGS)[1:])} |")
    print("| --- " * (len(SETTINGS) + 1) + "|")
    for name, made in METHODS.items():
        found = measured(made, rounds)
        ratios = " | ".join(f"{found[s] / found['loop']:.2f}" for s in list(SETTINGS)[1:])
        print(f"| {name} | {found['loop']:.1f} | {ratios} |", flush=True)


if __name__ == "__main__":
    main()
