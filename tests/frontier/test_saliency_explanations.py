"""Visual explanations: their checks, and one classifier for all of them."""

import pytest
import torch

from course_lib.cases import Facts
from course_lib.errors import CourseError
from course_lib.fit import fit
from course_lib.methods.frontier.saliency_explanations import SaliencyExplanations
from course_lib.tasks.base import Plan
from course_lib.tasks.frontier import explanations


@pytest.mark.parametrize("kind", ["cam", "occlusion"])
def test_explanations_carry_all_their_checks(cases, kind):
    test = cases("explanations/nodules").test.subset([0, 1, 8, 9])
    method = SaliencyExplanations(kind).fresh(test.facts).eval()
    with torch.no_grad():
        answer = method.predict(test.tensors)
    assert set(answer) == {"probability", "map", "randomised", "deletion", "insertion"}
    scores = explanations.score(answer, test.tensors, test.facts)
    assert torch.isfinite(scores["pointing"][:2]).all() and scores["pointing"][2:].isnan().all()


@pytest.mark.parametrize("kind", ["guess", ["cam"]])
def test_another_map_is_refused(kind):
    with pytest.raises(CourseError, match="grad_cam"):
        SaliencyExplanations(kind)


def test_the_kind_of_map_does_not_change_the_classifier(cases):
    splits, plan = cases("explanations/nodules"), Plan(steps=2, batch=4, evaluations=1)
    weights = []
    for kind in ("cam", "gradient"):
        method = SaliencyExplanations(kind)
        fit(
            method,
            explanations.QUESTION,
            splits,
            profile="smoke",
            seed=0,
            plan=plan,
            progress=False,
        )
        weights.append(torch.cat([p.detach().flatten() for p in method.parameters()]))
    assert torch.equal(*weights)


def test_no_outline_is_used(cases):
    train = cases("explanations/nodules").train
    batch = explanations.QUESTION.sample(train, "smoke", 4, torch.Generator().manual_seed(0))
    method = SaliencyExplanations().fresh(train.facts).eval()
    ((_, loss),) = method.losses({name: batch[name] for name in ("image", "label")})
    assert torch.isfinite(loss)
    with pytest.raises(CourseError, match="window"):
        SaliencyExplanations().fresh(Facts()).predict(batch)
