import numpy as np
import pytest
import torch
from scipy import stats

from lmdistill.core.errors import DataError
from lmdistill.evaluation.generalization_gap import empirical_risk, risk_interval, risks


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


def test_the_interval_of_a_risk_misses_the_risk_of_all_examples_in_about_5_of_100_samples():
    random = np.random.default_rng(0)
    labels, logits = random.integers(0, 3, 600), random.normal(0, 1, (600, 3))
    truth, missed = empirical_risk(labels, logits), 0
    for _ in range(400):
        rows = random.permutation(600)[:100]
        low, high = risk_interval(labels[rows], logits[rows], total=600)
        missed += not low <= truth <= high
    assert 8 <= missed <= 34  # 20 are expected; without the finite-population correction about 14 fewer


def test_the_interval_of_a_risk_equals_scipy_for_an_endless_population_and_has_no_width_for_the_whole():
    labels, logits = _example(3)
    losses = [empirical_risk(labels[[row]], logits[[row]]) for row in range(30)]
    expected = stats.t.interval(0.95, 29, loc=np.mean(losses), scale=stats.sem(losses))
    assert risk_interval(labels, logits, total=10**12) == pytest.approx(expected, rel=1e-9)
    low, high = risk_interval(labels, logits, total=30)
    assert low == high == pytest.approx(empirical_risk(labels, logits))


def test_one_of_several_examples_says_nothing_of_the_others():
    labels, logits = _example(4)
    assert risk_interval(labels[:1], logits[:1], total=2) == (-np.inf, np.inf)
