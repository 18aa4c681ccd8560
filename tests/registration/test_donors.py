"""Registration of different people: no true field, but labels and nuclei."""

import pytest
import torch

from course_lib import catalogue
from course_lib.tasks.registration import brain_pairs

DONORS = "brain_2d/between_donors"


@pytest.mark.parametrize(
    "dataset", [d for d in catalogue.datasets("registration") if d.startswith("brain")]
)
def test_donors_of_the_test_are_in_no_other_part(splits, dataset):
    cases = splits("registration", dataset)
    donors = [
        {name for subject in part.subject for name in subject.split("+")}
        for part in (cases.train, cases.validation, cases.test)
    ]
    assert donors[2] == set(brain_pairs.TEST) and not donors[2] & (donors[0] | donors[1])
    assert set(brain_pairs.VALIDATION) <= donors[1] and not set(brain_pairs.VALIDATION) & donors[0]


def test_between_donors_there_is_no_true_field_but_the_nuclei(splits):
    cases = splits("registration", DONORS).test
    question = catalogue.question("registration", DONORS)
    assert "displacement" not in cases.tensors
    zeros = torch.zeros(len(cases), 2, 32, 32)
    answer = {"forward": zeros, "backward": zeros}
    scores = question.score(answer, cases.tensors, cases.facts)
    assert set(scores) == set(question.metrics) and "endpoint_error_mm" not in scores
    assert torch.isfinite(torch.nanmean(scores["tre_mm"]))
    assert torch.isfinite(scores["dice"]).all()


def test_centres_tell_left_from_right():
    label = torch.zeros(1, 1, 20, 20, dtype=torch.uint8)
    number = brain_pairs.labels("brain")["putamen"]
    label[0, 0, 9:12, 3:6] = number
    label[0, 0, 9:12, 14:17] = number
    found = brain_pairs.centres(label, torch.zeros(1, 2, 20, 20))[0]
    known = found[~found.isnan().any(1)]
    assert known.tolist() == [[10.0, 15.0], [10.0, 4.0]]
