import math

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.evaluation.calibration import (
    brier,
    calibration,
    expected_calibration_error,
    negative_log_likelihood,
    reliability_bins,
)


def _example(seed, num_classes=3, count=60):
    random = np.random.default_rng(seed)
    return random.integers(0, num_classes, count), random.normal(0, 2, (count, num_classes))


def _ece_of_the_paper(labels, logits, num_bins):
    """Equation 3 of Guo et al. in plain Python, one example at a time."""
    bins = [[] for _ in range(num_bins)]
    for label, row in zip(labels.tolist(), logits.tolist(), strict=True):
        weights = [math.exp(value) for value in row]
        confidence = max(weights) / sum(weights)
        m = next(m for m in range(1, num_bins + 1) if (m - 1) / num_bins < confidence <= m / num_bins)
        bins[m - 1].append((confidence, row.index(max(row)) == label))
    return sum(
        len(inside)
        / len(labels)
        * abs(sum(r for _, r in inside) / len(inside) - sum(c for c, _ in inside) / len(inside))
        for inside in bins
        if inside
    )


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 300), num_classes=st.integers(2, 5), num_bins=st.integers(1, 20))
def test_the_error_equals_equation_3_and_lies_between_0_and_1(seed, num_classes, num_bins):
    labels, logits = _example(seed, num_classes)
    error = expected_calibration_error(labels, logits, num_bins=num_bins)
    assert 0 <= error <= 1
    assert error == pytest.approx(_ece_of_the_paper(labels, logits, num_bins), abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 300), shift=st.floats(-50, 50))
def test_order_of_examples_and_shift_of_logits_change_nothing(seed, shift):
    labels, logits = _example(seed)
    order = np.random.default_rng(seed).permutation(len(labels))
    assert calibration(labels[order], logits[order] + shift) == pytest.approx(
        calibration(labels, logits), abs=1e-9
    )


@settings(deadline=None, max_examples=50)
@given(right=st.integers(11, 19))
def test_a_network_right_as_often_as_it_says_has_no_error(right):
    share = right / 20
    labels = np.array([0] * right + [1] * (20 - right))
    logits = np.log([[share, 1 - share]] * 20)
    assert expected_calibration_error(labels, logits) == pytest.approx(0.0, abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 300), num_bins=st.integers(1, 30))
def test_the_bins_hold_every_example_once_and_inside_their_edges(seed, num_bins):
    labels, logits = _example(seed, 2)
    bins = reliability_bins(labels, logits, num_bins=num_bins)
    assert len(bins) == num_bins
    assert sum(bin_.count for bin_ in bins) == len(labels)
    assert all(bin_.low < bin_.confidence <= bin_.high for bin_ in bins if bin_.count)
    assert all(bin_.confidence is None and bin_.accuracy is None for bin_ in bins if not bin_.count)


def test_fifteen_bins_by_hand():
    # confidences 0.6 twice (bin (8/15, 9/15]), one right; 0.9 twice (bin (13/15, 14/15]), both right
    labels = np.array([0, 1, 0, 0])
    logits = np.log([[0.6, 0.4], [0.6, 0.4], [0.9, 0.1], [0.9, 0.1]])
    filled = {number: bin_ for number, bin_ in enumerate(reliability_bins(labels, logits)) if bin_.count}
    assert {number: (bin_.count, bin_.accuracy) for number, bin_ in filled.items()} == {
        8: (2, 0.5),
        13: (2, 1.0),
    }
    assert filled[13].confidence == pytest.approx(0.9)
    assert expected_calibration_error(labels, logits) == pytest.approx(0.5 * 0.1 + 0.5 * 0.1)


def test_a_confidence_on_an_edge_belongs_to_the_lower_bin():
    logits = np.zeros((3, 2))  # exactly one half
    assert [bin_.count for bin_ in reliability_bins(np.array([0, 1, 0]), logits, num_bins=4)] == [0, 3, 0, 0]


def test_a_network_that_is_always_sure_and_always_wrong_has_error_one():
    assert expected_calibration_error(np.array([1, 1]), np.array([[900.0, 0.0]] * 2)) == 1.0


def test_brier_is_twice_that_of_scikit_learn_for_two_classes():
    labels, logits = _example(5, 2)
    probability = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
    assert brier(labels, logits) == pytest.approx(2 * sklearn.metrics.brier_score_loss(labels, probability))


def test_brier_of_three_classes_by_hand():
    # (1/2, 1/4, 1/4) against class 1: 1/4 + 9/16 + 1/16 = 7/8
    assert brier(np.array([1]), np.log([[0.5, 0.25, 0.25]])) == pytest.approx(0.875)
    assert brier(np.array([1]), np.array([[900.0, 0.0, 0.0]])) == pytest.approx(2.0)


def test_likelihood_equals_the_log_loss_of_scikit_learn():
    labels, logits = _example(7)
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = sklearn.metrics.log_loss(labels, probabilities, labels=[0, 1, 2])
    assert negative_log_likelihood(labels, logits) == pytest.approx(expected, rel=1e-9)


def test_the_record_holds_the_three_numbers_by_name():
    labels, logits = _example(2)
    assert calibration(labels, logits) == {
        "expected_calibration_error": expected_calibration_error(labels, logits, num_bins=15),
        "brier": brier(labels, logits),
        "negative_log_likelihood": negative_log_likelihood(labels, logits),
    }


@pytest.mark.parametrize(
    "function", [reliability_bins, expected_calibration_error, brier, negative_log_likelihood]
)
def test_a_regression_is_refused(function):
    with pytest.raises(ConfigError, match="calibration needs at least 2 classes, got 1 output"):
        function(np.array([0, 0]), np.zeros((2, 1)))


def test_no_bins_are_refused():
    with pytest.raises(ConfigError, match="num_bins must be at least 1, got 0"):
        reliability_bins(np.array([0]), np.zeros((1, 2)), num_bins=0)


def test_a_missing_label_is_refused():
    with pytest.raises(DataError, match="1 of 1 examples have no usable label"):
        brier(np.array([-1]), np.zeros((1, 2)))
