import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmdistill.core.errors import ConfigError, DataError, UnknownNameError
from lmdistill.evaluation.classification import is_at_chance, majority, score

CLASS_METRICS = ["accuracy", "macro_f1", "matthews"]


def _one_hot(classes, num_classes):
    return np.eye(num_classes, dtype=np.float32)[np.asarray(classes)]


def _example(seed, num_classes=3, count=50):
    random = np.random.default_rng(seed)
    return random.integers(0, num_classes, count), random.normal(size=(count, num_classes)).astype(np.float32)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 1000), num_classes=st.integers(2, 5))
def test_a_permutation_of_the_examples_changes_no_score(seed, num_classes):
    labels, logits = _example(seed, num_classes)
    order = np.random.default_rng(seed + 1).permutation(len(labels))
    assert score(CLASS_METRICS, labels[order], logits[order]) == pytest.approx(
        score(CLASS_METRICS, labels, logits)
    )


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 1000), num_classes=st.integers(2, 5))
def test_a_perfect_network_scores_one(seed, num_classes):
    labels, _ = _example(seed, num_classes)
    assert score(CLASS_METRICS, labels, _one_hot(labels, num_classes)) == pytest.approx(
        dict.fromkeys(CLASS_METRICS, 1.0)
    )


@settings(deadline=None, max_examples=50)
@given(constant=st.integers(0, 1), share=st.integers(0, 20), metric=st.sampled_from(["f1", *CLASS_METRICS]))
def test_every_constant_network_is_at_chance_whatever_the_headline(constant, share, metric):
    labels = np.array([1] * share + [0] * (20 - share))
    assert is_at_chance([metric], labels, _one_hot([constant] * 20, 2))


@pytest.mark.parametrize("constant", [0, 1])
@pytest.mark.parametrize("other", [[0, 0, 0], [1, 1, 1], [0, 1, 1]])
def test_constant_classes_give_zero_matthews_without_a_warning(constant, other):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert score(["matthews"], np.array(other), _one_hot([constant] * 3, 2)) == {"matthews": 0.0}


@pytest.mark.parametrize("name", ["pearson", "spearman"])
def test_constant_scores_give_zero_correlation_without_a_warning(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert score([name], np.array([1.0, 2.0, 3.0]), np.full((3, 1), 2.5, dtype=np.float32)) == {name: 0.0}
        assert score([name], np.array([4.0]), np.array([[4.0]])) == {name: 0.0}  # one example has no spread


def test_scores_come_back_in_the_order_asked_for():
    labels, logits = _example(0, 2)
    assert list(score(["matthews", "f1", "accuracy"], labels, logits)) == ["matthews", "f1", "accuracy"]


def test_majority_equals_the_scores_of_a_network_that_always_says_it():
    labels = np.array([2, 2, 2, 0, 1, 1])
    constant = score(CLASS_METRICS, labels, _one_hot([2] * 6, 3))
    assert majority(CLASS_METRICS, labels) == constant
    assert constant["accuracy"] == 0.5


def test_majority_of_a_positive_class_has_the_f1_of_mrpc():
    labels = np.array([1] * 279 + [0] * 129)  # MRPC's dev set; 2 * 279 / (2 * 279 + 129)
    assert majority(["f1", "accuracy"], labels) == pytest.approx({"f1": 558 / 687, "accuracy": 279 / 408})


def test_majority_of_scores_has_no_correlation():
    assert majority(["pearson", "spearman"], np.array([0.0, 2.0, 5.0])) == {"pearson": 0.0, "spearman": 0.0}


def test_one_right_answer_more_than_the_majority_is_above_chance():
    labels = np.array([0, 0, 0, 1, 1])
    assert not is_at_chance(["accuracy"], labels, _one_hot([0, 0, 0, 1, 0], 2))
    assert is_at_chance(["accuracy"], labels, _one_hot([0, 0, 1, 1, 0], 2))


def test_f1_above_the_majority_is_still_chance_when_accuracy_is_not():
    labels = np.array([0] * 6 + [1] * 4)  # the majority has F1 0, always saying 1 has F1 4/7
    assert is_at_chance(["f1", "accuracy"], labels, _one_hot([1] * 10, 2))
    assert not is_at_chance(["f1", "accuracy"], labels, _one_hot(labels, 2))


def test_an_inverted_regression_is_at_chance():
    labels = np.array([1.0, 2.0, 4.0])
    assert is_at_chance(["pearson"], labels, -labels[:, None])
    assert not is_at_chance(["pearson"], labels, labels[:, None])


def test_an_unknown_metric_is_refused_with_the_nearest_name():
    labels, logits = _example(0, 2)
    with pytest.raises(UnknownNameError, match=r"no metric is called 'accura-cy'. Did you mean 'accuracy'\?"):
        score(["accura-cy"], labels, logits)


def test_macro_f1_of_network_and_constant_answer_counts_classes_that_do_not_occur():
    labels, logits = np.array([0, 0, 1]), _one_hot(np.array([0, 0, 1]), 4)
    assert score(["macro_f1"], labels, logits) == {"macro_f1": 0.5}
    assert majority(["macro_f1"], labels, 4) == {"macro_f1": pytest.approx(0.2)}  # (4/5 + 0 + 0 + 0) / 4
    assert not is_at_chance(["macro_f1"], labels, logits)
    assert is_at_chance(["macro_f1"], labels, _one_hot(np.array([0, 0, 0]), 4))


def test_f1_of_three_classes_is_refused_with_macro_f1_named():
    with pytest.raises(ConfigError, match="f1 is for 2 classes and the network has 3; use macro_f1"):
        score(["f1"], np.array([0, 1]), _one_hot([0, 1], 3))
    with pytest.raises(ConfigError, match="here is a class 2; ask for macro_f1"):
        majority(["f1"], np.array([0, 1, 2]))


def test_metrics_of_the_wrong_kind_are_refused_with_fitting_ones():
    with pytest.raises(ConfigError, match=r"pearson compares scores and the network has 2 outputs.*accuracy"):
        score(["pearson"], np.array([0, 1]), _one_hot([0, 1], 2))
    with pytest.raises(ConfigError, match=r"accuracy compares classes and the network has 1 output.*pearson"):
        score(["accuracy"], np.array([0.0, 1.0]), np.array([[0.0], [1.0]]))


def test_unlabelled_examples_are_refused():
    with pytest.raises(DataError, match="2 of 3 examples have no usable label, first example 1 with -1"):
        score(["accuracy"], np.array([0, -1, -1]), _one_hot([0, 0, 0], 2))
    with pytest.raises(DataError, match="example 0 with 2, but scoring needs classes 0 to 1"):
        score(["accuracy"], np.array([2, 0]), _one_hot([0, 0], 2))
    with pytest.raises(DataError, match="first example 1 with nan, but scoring needs finite scores"):
        score(["pearson"], np.array([1.0, np.nan]), np.array([[0.0], [1.0]]))


def test_logits_that_are_not_finite_are_refused():
    with pytest.raises(DataError, match="not finite for 1 of 2 examples, first for example 1"):
        score(["accuracy"], np.array([0, 1]), np.array([[0.0, 1.0], [np.nan, 0.0]]))


def test_no_examples_are_refused():
    with pytest.raises(DataError, match="there are 0 examples"):
        score(["accuracy"], np.zeros(0, dtype=np.int64), np.zeros((0, 2)))
    with pytest.raises(DataError, match="there are 0 examples"):
        majority(["accuracy"], np.zeros(0, dtype=np.int64))


def test_chance_without_a_metric_is_refused():
    with pytest.raises(ConfigError, match="got 0 metrics"):
        is_at_chance([], np.array([0, 1]), _one_hot([0, 1], 2))


def test_scores_that_say_nothing_are_at_chance_even_if_their_correlation_is_not_zero():
    rng = np.random.default_rng(0)
    labels = rng.normal(size=100)
    noise = 0.1 * labels + rng.normal(size=100)  # a correlation of about 0.1, within two standard errors
    assert 0 < score(["pearson"], labels, noise[:, None])["pearson"] < 0.2
    assert is_at_chance(["pearson"], labels, noise[:, None])
    assert not is_at_chance(["pearson"], labels, (0.9 * labels + 0.1 * noise)[:, None])
    assert not is_at_chance(["pearson"], labels, (100 + labels)[:, None])  # ranks well on another scale
