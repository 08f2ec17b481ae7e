import numpy as np
import pytest
import torch

from lmdistill.core.errors import DataError
from lmdistill.evaluation.generalization_gap import empirical_risk, risks


def _example(seed, num_classes=4, count=30):
    random = np.random.default_rng(seed)
    return random.integers(0, num_classes, count), random.normal(0, 3, (count, num_classes))


def test_the_risk_of_a_classifier_equals_torch_in_float64():
    labels, logits = _example(0)
    expected = torch.nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels)).item()
    assert empirical_risk(labels, logits) == pytest.approx(expected, rel=1e-12)


def test_the_risk_of_a_regression_equals_torch_in_float64():
    random = np.random.default_rng(1)
    labels, logits = random.normal(size=9), random.normal(size=(9, 1))
    expected = torch.nn.functional.mse_loss(torch.from_numpy(logits[:, 0]), torch.from_numpy(labels)).item()
    assert empirical_risk(labels, logits) == pytest.approx(expected, rel=1e-12)


def test_the_risk_of_very_sure_logits_is_finite_in_float32():
    assert empirical_risk(np.array([1]), np.array([[500.0, -500.0]], dtype=np.float32)) == 1000.0


def test_a_shift_of_the_logits_and_the_order_of_examples_change_no_risk():
    labels, logits = _example(2)
    order = np.random.default_rng(2).permutation(len(labels))
    assert empirical_risk(labels[order], logits[order] + 7.0) == pytest.approx(empirical_risk(labels, logits))


def test_the_gap_is_dev_minus_train_by_hand():
    half, quarter = np.log([[0.5, 0.5]]), np.log([[0.25, 0.75]])
    zero = np.array([0])
    values = risks(train_labels=zero, train_logits=half, dev_labels=zero, dev_logits=quarter)
    expected = {"train_risk": np.log(2), "dev_risk": np.log(4), "generalisation_gap": np.log(2)}
    assert {name: values[name] for name in expected} == pytest.approx(expected)


def test_errors_are_shares_of_wrong_answers_by_hand():
    labels, logits = np.array([0, 1, 1]), np.array([[2.0, 1.0], [2.0, 1.0], [0.0, 1.0]])
    values = risks(train_labels=labels, train_logits=logits, dev_labels=labels[:2], dev_logits=logits[:2])
    assert values["train_error"] == pytest.approx(1 / 3)
    assert values["dev_error"] == 0.5
    scores = np.array([[1.0], [2.0], [3.0]])
    assert "dev_error" not in risks(
        train_labels=labels, train_logits=scores, dev_labels=labels, dev_logits=scores
    )


def test_the_gap_of_the_same_examples_is_zero():
    labels, logits = _example(3)
    same = risks(train_labels=labels, train_logits=logits, dev_labels=labels, dev_logits=logits)
    assert same["generalisation_gap"] == 0.0


def test_unlabelled_examples_are_refused():
    with pytest.raises(DataError, match="1 of 1 examples have no usable label"):
        empirical_risk(np.array([-1]), np.zeros((1, 2)))
