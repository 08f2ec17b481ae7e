"""Label names: laws of the permutation, and the alarm for unnamed outputs."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmdistill.core.errors import MismatchError
from lmdistill.data.tasks.label_matching import (
    are_generic,
    best_label_order,
    label_order_alarm,
    match_labels,
    normalized_name,
    require_label_order,
)

NLI = ("entailment", "neutral", "contradiction")


def _logits(predicted: np.ndarray, num_classes: int) -> np.ndarray:
    return np.eye(num_classes)[predicted]


@given(st.permutations(["red", "Dark_Blue", "light green", "x-1"]))
def test_matched_outputs_carry_the_names_of_the_task(model: list[str]) -> None:
    task = ("RED", "dark blue", "light-green", "X1")
    order = match_labels(task, model)
    assert sorted(order) == [0, 1, 2, 3]
    assert [model[output].lower()[0] for output in order] == [name.lower()[0] for name in task]


def test_a_logit_keeps_its_name_when_outputs_are_reordered() -> None:
    order = match_labels(NLI, ("CONTRADICTION", "ENTAILMENT", "NEUTRAL"))
    assert np.array([[10.0, 20.0, 30.0]])[:, order].tolist() == [[20.0, 30.0, 10.0]]


def test_other_names_are_refused_with_both_lists() -> None:
    with pytest.raises(
        MismatchError,
        match=r"task \(entailment, neutral, contradiction\) and of the model \(good, bad\) differ",
    ):
        match_labels(NLI, ("good", "bad"))
    with pytest.raises(MismatchError, match=r"of the model \(none\) differ"):
        match_labels(NLI, ())


def test_generic_names_are_told_from_real_ones() -> None:
    assert are_generic(["LABEL_0", "LABEL_1", "LABEL_12"])
    assert not are_generic(["LABEL_0", "positive"])
    assert not are_generic(NLI)


@settings(deadline=None)
@given(st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_the_best_order_is_that_of_trying_them_all(num_classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, logits = rng.integers(num_classes, size=30), rng.normal(size=(30, num_classes))
    order, as_is, best = best_label_order(logits, labels)
    accuracies = {
        trial: float((logits[:, trial].argmax(1) == labels).mean())
        for trial in itertools.permutations(range(num_classes))
    }
    assert best == pytest.approx(max(accuracies.values()), abs=1e-12)
    assert best == pytest.approx(accuracies[order], abs=1e-12)
    assert best > as_is or order == tuple(range(num_classes))
    assert as_is == pytest.approx(accuracies[tuple(range(num_classes))], abs=1e-12)


def test_a_tie_keeps_the_present_order() -> None:
    labels = np.array([0, 0, 1, 1])
    assert best_label_order(_logits(np.array([0, 1, 0, 1]), 2), labels) == ((0, 1), 0.5, 0.5)


def test_swapped_outputs_stop_the_run_with_both_accuracies_and_the_names() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=200)
    turned = np.array([2, 0, 1])[labels]
    predicted = np.where(rng.random(200) < 0.9, turned, rng.integers(3, size=200))
    right = (predicted == turned).mean()
    message = rf"accuracy 0\.\d+ as they are, {right:.3f} as neutral, contradiction, entailment\. Put"
    with pytest.raises(MismatchError, match=message):
        require_label_order(_logits(predicted, 3), labels, NLI)


def test_five_examples_all_wrong_are_enough() -> None:
    labels = np.array([0, 1, 0, 1, 1])
    with pytest.raises(MismatchError, match=r"accuracy 0\.000 as they are, 1\.000 as b, a\."):
        require_label_order(_logits(1 - labels, 2), labels, ("a", "b"))


def test_outputs_in_order_give_their_accuracy() -> None:
    labels = np.arange(100) % 2
    assert (
        require_label_order(_logits(np.where(np.arange(100) < 60, labels, 0), 2), labels, ("a", "b")) == 0.8
    )


@pytest.mark.parametrize(
    ("predicted", "labels"),
    [
        ([0] * 100, [1] * 70 + [0] * 30),  # knows nothing: another order only finds the majority
        ([1, 0, 1, 0], [0, 1, 0, 1]),  # four examples prove nothing
        ([0, 1] * 290 + [1, 0] * 210, [1, 0] * 500),  # 0.42 against 0.58: within the margin
    ],
)
def test_no_alarm_without_good_reason(predicted: list[int], labels: list[int]) -> None:
    require_label_order(_logits(np.array(predicted), 2), np.array(labels), ("a", "b"))


def test_another_number_of_outputs_is_refused() -> None:
    with pytest.raises(MismatchError, match=r"the teacher has 2 outputs and the task 3 labels \(ent"):
        require_label_order(np.zeros((4, 2)), np.zeros(4, dtype=np.int64), NLI)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Not_Entailment", "not entailment", True), ("1.0", "1", True), ("1.50", "1.5", True), ("-0.0", "0", True),
        (" Pos ", "pos", True), ("LABEL_0", "label0", True), ("-1", "1", False), ("A-", "A", False), ("007", "7", False),
        ("level -1", "level 1", False), ("1.5", "15", False), ("0.10", "0.01", False),
    ],
)  # fmt: skip
def test_names_are_compared_without_case_spaces_and_decimals_but_with_signs(one, other, same):
    assert (normalized_name(one) == normalized_name(other)) is same


def test_labels_that_look_swapped_are_told_with_both_accuracies() -> None:
    labels = np.arange(40) % 2
    told = label_order_alarm(_logits(1 - labels, 2), labels, ("bad", "good"), model="the student on dev")
    assert told.startswith(
        "the student on dev fits another order of the labels much better: accuracy 0.000 as"
    )
    assert "1.000 as good, bad" in told
    assert label_order_alarm(_logits(labels, 2), labels, ("bad", "good"), model="it") == ""
    few = np.array([0, 1, 2, 0])  # with as many classes as examples some order always fits
    assert label_order_alarm(_logits((few + 1) % 3, 3), few, ("a", "b", "c"), model="it") == ""
