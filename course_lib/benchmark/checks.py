"""What must be true of every method: the checks of `course check-method`.

Each check is a function of a `Subject`, a method together with cases to try it on. It returns
nothing, and raises CheckError, which says what was expected and what was found.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from course_lib import device
from course_lib.cases import Batch, Cases
from course_lib.errors import CourseError
from course_lib.fit import fit, predict
from course_lib.learning import entered
from course_lib.methods.base import Classical, Method, Stage
from course_lib.tasks.base import Plan, Question, Splits


class CheckError(CourseError):
    """A method does not keep what all must keep."""


def demand(kept: Any, text: str) -> None:
    """Raises CheckError with `text` unless `kept` is true."""
    if not kept:
        raise CheckError(text)


@dataclass
class Subject:
    """A method to be checked: how to make one with its options, and cases to try it on.

    Arguments:
        adversarial: the players play against each other, so no loss need fall.
        other: the same method on another data set that it answers, if there is one.
    """

    make: Callable[[], Method | Classical]
    question: Question
    splits: Splits
    adversarial: bool = False
    other: "Subject | None" = None
    profile: str = "smoke"
    steps: Plan = field(default_factory=lambda: Plan(steps=3, batch=4, evaluations=1))

    def __post_init__(self) -> None:
        self.splits = self.question.marked(self.splits)

    @cached_property
    def learns(self) -> bool:
        """Whether it is trained by gradients."""
        return isinstance(self.make(), Method)

    @cached_property
    def fitted(self) -> Method | Classical:
        """The method after a tiny training, the same one for all checks that only look at it."""
        return self.trained(self.make())

    def trained(self, method: Any, seed: int = 0, splits: Splits | None = None) -> Any:
        """A method after a tiny training on these cases: every stage gets a step, or validation
        chooses between two settings."""
        plan = self.steps
        if isinstance(method, Classical):
            method.grid = type(method).grid[: 1 if keeps_nothing(method) else 2]
        else:
            shares = [stage.share for stage in method.stages]
            least = -(-sum(shares) // min(shares))
            plan = Plan(max(plan.steps, int(least)), plan.batch, 1)
        how: dict[str, Any] = {
            "profile": self.profile,
            "seed": seed,
            "plan": plan,
            "progress": False,
        }
        fit(method, self.question, splits or self.splits, **how)
        return method

    def batch(self, method: Method, seed: int = 0) -> Batch:
        """A training batch, drawn as the method draws it."""
        generator = torch.Generator().manual_seed(seed)

        def sample(cases: Cases, count: int) -> Batch:
            return self.question.sample(cases, self.profile, count, generator)

        return method.draw(self.splits.train, sample, self.steps.batch)


def keeps_nothing(method: Method | Classical) -> bool:
    """Whether a classical method learns nothing from training cases, so that nothing can leak."""
    base, cls = Classical, type(method)
    return isinstance(method, Classical) and cls.prepare is base.prepare and cls.build is base.build


def learnt(method: Method) -> Tensor:
    """All weights that can learn, in one row."""
    weights = [p.detach().flatten() for p in method.parameters() if p.requires_grad]
    return torch.cat(weights)


def answer(subject: Subject, method: Method | Classical, cases: Cases) -> Any:
    """The method's answer for some cases, of which it does not see the answers."""
    with device.seeded(0):
        return predict(method, cases, batch=len(cases))


def options_only(subject: Subject) -> None:
    """A constructor makes no network: they depend on the data set, so `build` makes them."""
    if subject.learns:
        count = sum(p.numel() for p in subject.make().parameters())
        demand(not count, f"the constructor makes {count} weights; networks are made in `build`")


def predicts(subject: Subject) -> None:
    """Every case gets an answer in the question's unit, with a score for each metric."""
    cases = first(subject.splits.test, 2)
    scores = subject.question.score(
        answer(subject, subject.fitted, cases), cases.tensors, cases.facts
    )
    wanted = set(subject.question.of(subject.splits.facts).metrics)
    demand(set(scores) == wanted, f"scores {set(scores)} instead of {wanted}")
    count = len(cases)
    demand(all(len(v) == count for v in scores.values()), "not one score per case")
    headline = scores[subject.question.headline]
    defined = headline[~headline.isnan()]  # a case may show nothing to be scored
    demand(len(defined) and torch.isfinite(defined).all(), f"headline: {headline.tolist()}")


def leaves_its_input_alone(subject: Subject) -> None:
    """Predicting changes no tensor of the batch."""
    cases = first(subject.splits.test, 1)
    before = {name: value.clone() for name, value in cases.tensors.items()}
    answer(subject, subject.fitted, cases)
    changed = [name for name, value in cases.tensors.items() if not equal(before[name], value)]
    demand(not changed, f"predicting changes {changed}")


def equal(one: Tensor, other: Tensor) -> bool:
    """Bit for bit, with nan equal to nan."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    same = one == other
    if one.is_floating_point() or one.is_complex():
        same = same | (one.isnan() & other.isnan())
    return bool(same.all())


def every_weight_learns(subject: Subject, stage: Stage) -> None:
    """In a stage, each player that learns in it is stepped, and each of its weights has a slope;
    nothing else has."""
    method = in_stage(subject, stage)
    with device.seeded(0), entered(method, stage, subject.splits.train) as turn:
        turn.train()
        stepped = set()
        for player, loss in method.losses(subject.batch(method)):
            demand(loss.ndim == 0 and torch.isfinite(loss), f"the loss of {player} is {loss}")
            turn.optimisers[player].zero_grad(set_to_none=True)
            loss.backward(inputs=turn.players[player])
            slopes = [p.grad for p in turn.players[player]]
            demand(all(s is not None for s in slopes), f"a weight of {player} is not in its loss")
            demand(all(torch.isfinite(s).all() for s in slopes), f"slopes of {player}: not finite")
            demand(any(s.abs().max() > 0 for s in slopes), f"all slopes of {player} are 0")
            stepped.add(player)
        demand(stepped == set(turn.players), f"stepped {stepped} instead of {set(turn.players)}")


def in_stage(subject: Subject, stage: Stage, steps: int = 0) -> Method:
    """A fresh method that has been through all stages before this one, `steps` steps in each."""
    with device.seeded(0):
        method = subject.make().fresh(subject.splits.facts)
        for before in method.stages:
            if before.name == stage.name:
                return method
            with entered(method, before, subject.splits.train) as turn:
                turn.train()
                batch = subject.batch(method)
                for _ in range(steps):
                    list(turn.step(batch))
    raise ValueError(f"{stage.name} is no stage of {type(method).__name__}.")


def the_loss_falls(subject: Subject, stage: Stage) -> None:
    """A few steps on one batch lower the loss, unless players play against each other."""
    # What learns on others' features needs features that say something.
    method, losses = in_stage(subject, stage, steps=20), []
    with device.seeded(0), entered(method, stage, subject.splits.train) as turn:
        turn.train()
        batch = subject.batch(method)
        while len(losses) < 200 and (len(losses) < 12 or fallen(losses) < 0.06):
            losses.append(sum(float(loss) for _, loss in turn.step(batch)))
    # Who starts near the identity has only noise to learn, and takes longer.
    said = f"in stage {stage.name} the loss went from {losses[0]:.3g} to {losses[-1]:.3g}"
    demand(fallen(losses) > 0.05, said)


def fallen(losses: list[float]) -> float:
    """How much lower the best of the last three losses is than the first, as a share of it."""
    return (losses[0] - min(losses[-3:])) / abs(losses[0])


def repeats_and_never_sees_the_test(subject: Subject) -> None:
    """The same seed gives the same weights (or answers, of what is classical) also when all test
    cases are nan."""
    clean, text = subject.splits, "a training does not repeat, or it depends on the test cases"
    if keeps_nothing(subject.fitted):
        before = dict(vars(subject.fitted))
        same(subject, subject.fitted, subject.fitted, clean.validation, text)
        demand(vars(subject.fitted) == before, "predicting leaves something in the method")
        return
    spoiled = clean.test.subset(range(len(clean.test)))
    for value in spoiled.tensors.values():
        if value.is_floating_point():
            value.fill_(float("nan"))
    splits = Splits(clean.train, clean.validation, spoiled)
    again = subject.trained(subject.make(), splits=splits)
    same(subject, subject.fitted, again, clean.validation, text)


def follows_the_seed(subject: Subject) -> None:
    """Another seed gives other weights."""
    if subject.learns:
        other = subject.trained(subject.make(), seed=1)
        differs = not equal(learnt(subject.fitted), learnt(other))
        demand(differs, "another seed gives the same weights")


def a_second_training_starts_anew(subject: Subject) -> None:
    """Trained on one data set and then on another, in one object: as a fresh object, both ways.
    Where a method answers only one, on the same one twice."""
    if keeps_nothing(subject.fitted):
        return
    other = subject.other or subject
    for first, second in ((subject, other), (other, subject))[: 1 + (other is not subject)]:
        used = second.trained(deepcopy(first.fitted))
        text = "a second training depends on the first"
        same(second, used, second.fitted, second.splits.validation, text)


def same(subject: Subject, one: Any, other: Any, cases: Cases, text: str) -> None:
    """Raises CheckError with `text` unless both have learnt the same and answer the first case
    alike: bit for bit, or where a library computes in threads of its own, all but the last digits.
    """
    if subject.learns:
        demand(equal(learnt(one), learnt(other)), text)
    few, alike = first(cases, 1), equal if subject.learns else close
    ours, theirs = (answer(subject, method, few) for method in (one, other))
    if not isinstance(ours, dict):
        ours, theirs = {"answer": ours}, {"answer": theirs}
    demand(all(alike(ours[name], theirs[name]) for name in ours), text)


def close(one: Tensor, other: Tensor) -> bool:
    """The same but for the last digits of the largest value."""
    if one.shape != other.shape or not one.numel():
        return one.shape == other.shape
    slack = 1e-4 * float(one.abs().nan_to_num().max())
    return torch.allclose(one, other, rtol=0, atol=slack, equal_nan=True)


def first(cases: Cases, count: int) -> Cases:
    """The first cases, `count` of them if there are as many."""
    return cases.subset(range(min(count, len(cases))))


EVERY_METHOD = (
    options_only,
    predicts,
    leaves_its_input_alone,
    repeats_and_never_sees_the_test,
    follows_the_seed,
    a_second_training_starts_anew,
)
EVERY_STAGE = (every_weight_learns, the_loss_falls)


def check(subject: Subject, tell: Callable[[str, str | None], None]) -> int:
    """Runs all checks on a method; `tell(check, fault or None)` hears of each. Returns how many
    failed."""
    stages: list[tuple[Callable, tuple]] = []
    if subject.learns:
        for stage in subject.make().stages:
            stages += [(rule, (stage,)) for rule in EVERY_STAGE]
    rules = [(rule, ()) for rule in EVERY_METHOD]
    failed = 0
    for rule, further in (*rules, *stages):
        if rule is the_loss_falls and subject.adversarial:
            continue
        words = rule.__name__.replace("_", " ") + "".join(f" (stage {s.name})" for s in further)
        try:
            rule(subject, *further)
            tell(words, None)
        except Exception as error:
            failed += 1
            tell(words, f"{type(error).__name__}: {error}")
    return failed
