import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lmdistill.core.errors import DataError, MismatchError
from lmdistill.evaluation.agreement import agreement


def _pair(seed, num_classes=3, count=40):
    random = np.random.default_rng(seed)
    return random.normal(0, 2, (count, num_classes)), random.normal(0, 2, (count, num_classes))


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 1000), num_classes=st.integers(2, 6), shift=st.floats(-100, 100))
def test_a_network_agrees_with_itself_and_with_its_logits_shifted(seed, num_classes, shift):
    logits, _ = _pair(seed, num_classes)
    assert agreement(logits, logits) == {"top_agreement": 1.0, "kl_nats": 0.0, "probability_difference": 0.0}
    assert agreement(logits + shift, logits) == pytest.approx(agreement(logits, logits), abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 1000), num_classes=st.integers(2, 6))
def test_agreement_stays_in_its_ranges_and_ignores_the_order_of_examples(seed, num_classes):
    student, teacher = _pair(seed, num_classes)
    values = agreement(student, teacher)
    order = np.random.default_rng(seed).permutation(len(student))
    assert 0 <= values["top_agreement"] <= 1
    assert values["kl_nats"] > 0
    assert 0 < values["probability_difference"] <= 2 / num_classes  # two distributions differ by 2 in all
    assert agreement(student[order], teacher[order]) == pytest.approx(values)


def test_agreement_by_hand():
    student = np.log([[0.5, 0.5], [0.25, 0.75]])
    teacher = np.log([[0.75, 0.25], [0.75, 0.25]])
    # KL: 3/4 log(3/2) + 1/4 log(1/2) = 0.130812; 3/4 log 3 + 1/4 log(1/3) = 1/2 log 3 = 0.549306
    assert agreement(student, teacher) == pytest.approx(
        {
            "top_agreement": 0.5,
            "kl_nats": (0.130812035941137 + 0.549306144334055) / 2,
            "probability_difference": 0.375,
        }
    )


def test_kl_equals_torch_with_the_teacher_first():
    student, teacher = _pair(1)
    log_s, log_t = (torch.from_numpy(logits).log_softmax(1) for logits in (student, teacher))
    expected = torch.nn.functional.kl_div(log_s, log_t, reduction="batchmean", log_target=True).item()
    assert agreement(student, teacher)["kl_nats"] == pytest.approx(expected, rel=1e-12)
    assert agreement(teacher, student)["kl_nats"] != pytest.approx(expected, rel=1e-2)


def test_very_sure_networks_that_disagree_have_a_finite_kl():
    sure = np.array([[1000.0, -1000.0]], dtype=np.float32)
    assert agreement(-sure, sure) == pytest.approx(
        {"top_agreement": 0.0, "kl_nats": 2000.0, "probability_difference": 1.0}
    )


def test_regression_agreement_by_hand():
    teacher = np.array([[1.0], [2.0], [3.0]])
    assert agreement(2 * teacher, teacher) == pytest.approx({"pearson": 1.0, "squared_difference": 14 / 3})


def test_different_numbers_of_classes_are_refused():
    with pytest.raises(MismatchError, match="the student has 2 outputs and the teacher 3"):
        agreement(np.zeros((4, 2)), np.zeros((4, 3)))


@pytest.mark.parametrize("bad_student", [True, False])
def test_logits_that_are_not_finite_are_refused_on_either_side(bad_student):
    bad, good = np.array([[np.inf, 0.0]]), np.zeros((1, 2))
    with pytest.raises(DataError, match="not finite for 1 of 1 examples"):
        agreement(*((bad, good) if bad_student else (good, bad)))
