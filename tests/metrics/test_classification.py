"""Laws, hand numbers, and scikit-learn and SciPy as references."""

import math
import warnings

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from lmdistill.core.errors import ConfigError, UnknownNameError
from lmdistill.metrics.classification import METRICS, REGRESSION_METRICS, metric_named, predictions_of

CLASS_METRICS = sorted(set(METRICS) - REGRESSION_METRICS)
EXACT = {"rel": 1e-13, "abs": 1e-15}

REFERENCES = {
    "accuracy": sklearn.metrics.accuracy_score,
    "f1": lambda labels, said: sklearn.metrics.f1_score(labels, said, zero_division=0.0),
    "macro_f1": lambda labels, said: sklearn.metrics.f1_score(
        labels, said, average="macro", zero_division=0.0
    ),
    "matthews": sklearn.metrics.matthews_corrcoef,
    "pearson": lambda labels, said: scipy.stats.pearsonr(labels, said).statistic,
    "spearman": lambda labels, said: scipy.stats.spearmanr(labels, said).statistic,
}


def _classes(seed, num_classes, count=60):
    """Labels and predictions, of which about half are right."""
    random = np.random.default_rng(seed)
    labels, guesses = random.integers(num_classes, size=count), random.integers(num_classes, size=count)
    return labels, np.where(random.random(count) < 0.5, labels, guesses)


def _scores(seed, count=60):
    """Labels with many ties, and predictions around them."""
    random = np.random.default_rng(seed)
    labels = random.integers(6, size=count).astype(np.float32)
    return labels, (labels + 1.5 * random.normal(size=count)).astype(np.float32)


def _example(metric, seed):
    if metric in REGRESSION_METRICS:
        return _scores(seed)
    return _classes(seed, 2 if metric == "f1" else 2 + seed % 4)


@settings(deadline=None, max_examples=150)
@given(metric=st.sampled_from(sorted(METRICS)), seed=st.integers(0, 1000))
def test_values_are_those_of_scikit_learn_and_scipy(metric, seed):
    labels, predictions = _example(metric, seed)
    wide = predictions.astype(np.float64) if metric in REGRESSION_METRICS else predictions
    expected = float(REFERENCES[metric](labels.astype(wide.dtype), wide))
    assert METRICS[metric](labels, predictions) == pytest.approx(expected, **EXACT)


def test_every_metric_has_a_reference():
    assert set(REFERENCES) == set(METRICS)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 300))
def test_binary_f1_and_matthews_equal_their_formulas_in_counts(seed):
    labels, predictions = _classes(seed, 2)
    said = predictions == 1
    tp, fp = np.sum(said & (labels == 1)), np.sum(said & (labels == 0))
    fn, tn = np.sum(~said & (labels == 1)), np.sum(~said & (labels == 0))
    root = math.sqrt(float(tp + fp) * float(tp + fn) * float(tn + fp) * float(tn + fn))
    assert METRICS["f1"](labels, predictions) == pytest.approx(2 * tp / (2 * tp + fp + fn), rel=1e-12)
    assert METRICS["matthews"](labels, predictions) == pytest.approx((tp * tn - fp * fn) / root, rel=1e-12)


@settings(deadline=None, max_examples=60)
@given(metric=st.sampled_from(sorted(METRICS)), seed=st.integers(0, 1000))
def test_labels_predict_themselves_best_and_order_does_not_matter(metric, seed):
    labels, predictions = _example(metric, seed)
    assert METRICS[metric](labels, labels) == pytest.approx(1.0, **EXACT)
    assert METRICS[metric](labels, predictions) < 1
    order = np.random.default_rng(seed).permutation(len(labels))
    again = METRICS[metric](labels[order], predictions[order])
    assert again == pytest.approx(METRICS[metric](labels, predictions), rel=1e-12)


@settings(deadline=None, max_examples=60)
@given(metric=st.sampled_from(["macro_f1", "matthews"]), seed=st.integers(0, 1000))
def test_names_of_classes_do_not_matter(metric, seed):
    labels, predictions = _classes(seed, 4)
    renamed = np.array([7, 2, 9, -1])
    assert METRICS[metric](renamed[labels], renamed[predictions]) == pytest.approx(
        METRICS[metric](labels, predictions), rel=1e-12
    )


@pytest.mark.parametrize("metric", CLASS_METRICS)
def test_classes_may_be_stored_as_floats(metric):
    labels, predictions = _classes(3, 2)
    assert METRICS[metric](labels.astype(float), predictions.astype(float)) == METRICS[metric](
        labels, predictions
    )


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 1000), size=st.integers(2, 40))
def test_correlations_stay_within_one_and_those_of_two_examples_are_one(seed, size):
    labels = np.random.default_rng(seed).normal(size=size)
    for metric in ("pearson", "spearman"):
        assert METRICS[metric](labels, 3 * labels + 1) <= 1
        assert METRICS[metric](labels[:2], -labels[:2]) == -1


def test_large_scores_do_not_overflow():
    labels = np.array([1.0, 2.0, 4.0])
    assert METRICS["pearson"](1e200 * labels, labels) == pytest.approx(1.0, **EXACT)


def test_macro_f1_of_three_classes_equals_the_mean_by_hand():
    # class 0: 1/1, 1/1 -> 1. class 1: precision 1/2, recall 1 -> 2/3. class 2: 1, 1/2 -> 2/3.
    assert METRICS["macro_f1"](np.array([0, 1, 2, 2]), np.array([0, 1, 2, 1])) == pytest.approx(7 / 9)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 1000), extra=st.integers(0, 3))
def test_macro_f1_of_a_task_counts_all_its_classes_as_scikit_learn_does_with_labels(seed, extra):
    labels, predictions = _classes(seed, 2 + seed % 4, count=1 + seed % 20)
    num_classes = 2 + seed % 4 + extra
    expected = sklearn.metrics.f1_score(
        labels, predictions, labels=range(num_classes), average="macro", zero_division=0.0
    )
    found = metric_named("macro_f1", num_classes)(labels.astype(float), predictions)
    assert found == pytest.approx(expected, **EXACT)


def test_other_metrics_do_not_depend_on_the_number_of_classes():
    for name in set(METRICS) - {"macro_f1"}:
        assert metric_named(name, 7) is METRICS[name]


def test_a_class_that_is_only_predicted_counts_in_macro_f1():
    # class 0: precision 1, recall 1/2 -> 2/3. class 1: never right -> 0.
    assert METRICS["macro_f1"](np.array([0, 0]), np.array([0, 1])) == pytest.approx(1 / 3)
    assert METRICS["matthews"](np.array([0, 0, 1, 1]), np.array([0, 2, 1, 1])) == pytest.approx(
        sklearn.metrics.matthews_corrcoef([0, 0, 1, 1], [0, 2, 1, 1])
    )


def test_spearman_shares_the_ranks_of_ties_by_hand():
    # ranks 1.5 1.5 3 against 1 2 3: covariance 1.5, variances 1.5 and 2
    value = METRICS["spearman"](np.array([4.0, 4.0, 9.0]), np.array([1.0, 2.0, 3.0]))
    assert value == pytest.approx(1.5 / math.sqrt(1.5 * 2))


@pytest.mark.parametrize("metric", sorted(set(METRICS) - {"accuracy"}))
@pytest.mark.parametrize("other", [[0, 0, 0], [0, 1, 1]])
def test_a_constant_answer_of_zero_is_worth_nothing_without_a_warning(metric, other):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value = METRICS[metric](np.array(other), np.zeros(3, dtype=int))
    if metric == "macro_f1":  # class 0 is predicted: F1 of 1 where all are 0, else half of 2 * 1 / (1 + 3)
        assert value == (0.25 if 1 in other else 1.0)
    else:
        assert value == 0.0


def test_what_differs_by_rounding_alone_is_constant():
    assert METRICS["pearson"](np.array([1.0, 2.0]), np.array([1e9, 1e9 + 1e-6])) == 0.0
    assert METRICS["pearson"](np.array([1.0, 2.0]), np.array([1e9, 1e9 + 1.0])) == 1.0


def test_predictions_are_the_top_class_or_the_score_itself():
    assert predictions_of(np.array([[0.0, 2.0, 1.0], [3.0, 3.0, 0.0]])).tolist() == [1, 0]  # ties go down
    assert predictions_of(np.array([[0.5], [2.5]])).tolist() == [0.5, 2.5]


def test_f1_of_three_classes_is_refused_with_macro_f1_named():
    with pytest.raises(ConfigError, match="here is a class 2; ask for macro_f1"):
        METRICS["f1"](np.array([0, 1, 2]), np.array([0, 1, 1]))


def test_an_unknown_metric_is_refused_with_the_nearest_name():
    with pytest.raises(UnknownNameError, match=r"no metric is called 'mathews'. Did you mean 'matthews'\?"):
        metric_named("mathews")
