"""Metrics of several labels a text: scikit-learn to the last bit, and laws."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import accuracy_score, f1_score, log_loss

from lmdistill.core.errors import ConfigError, UnknownNameError
from lmdistill.metrics.multi_label import (
    MULTI_LABEL_METRICS,
    label_f1,
    label_losses,
    leave_one_out,
    multi_label_metric,
    predicted_labels,
    sigmoid,
)


def tables(count=60):
    """Labels and predictions, some with a column or a table of zeros."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        shape = rng.integers(2, 40), rng.integers(2, 9)
        yield (rng.random(shape) < rng.random()).astype(int), (rng.random(shape) < rng.random()).astype(int)
    yield np.zeros((3, 2), int), np.zeros((3, 2), int)
    yield np.array([[1, 0], [1, 0]]), np.array([[0, 0], [0, 0]])


REFERENCES = {
    "micro_f1": lambda y, p: f1_score(y, p, average="micro", zero_division=0),
    "macro_f1": lambda y, p: f1_score(y, p, average="macro", zero_division=0),
    "subset_accuracy": accuracy_score,
}


@pytest.mark.parametrize("name", MULTI_LABEL_METRICS)
def test_they_are_those_of_scikit_learn_to_the_last_bit(name):
    assert set(REFERENCES) == set(MULTI_LABEL_METRICS)
    for labels, predictions in tables():
        assert multi_label_metric(name)(labels, predictions) == REFERENCES[name](labels, predictions)
        assert multi_label_metric(name)(labels > 0, predictions > 0) == REFERENCES[name](labels, predictions)


def test_f1_of_each_label_is_that_of_scikit_learn():
    for labels, predictions in tables():
        expected = f1_score(labels, predictions, average=None, zero_division=0)
        assert (label_f1(labels, predictions) == expected).all()


@pytest.mark.parametrize("name", MULTI_LABEL_METRICS)
def test_without_each_example_they_are_what_a_loop_gives(name):
    for labels, predictions in tables(20):
        metric = multi_label_metric(name)
        slow = [metric(np.delete(labels, at, 0), np.delete(predictions, at, 0)) for at in range(len(labels))]
        np.testing.assert_allclose(leave_one_out(name, labels, predictions), slow, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", MULTI_LABEL_METRICS)
def test_the_order_of_examples_and_of_labels_does_not_matter(name):
    rng = np.random.default_rng(1)
    for labels, predictions in tables(20):
        rows, columns = rng.permutation(len(labels)), rng.permutation(labels.shape[1])
        moved = multi_label_metric(name)(labels[rows][:, columns], predictions[rows][:, columns])
        assert moved == pytest.approx(multi_label_metric(name)(labels, predictions), abs=1e-15)


def test_numbers_by_hand():
    labels, predictions = np.array([[1, 1, 0], [0, 1, 0]]), np.array([[1, 0, 1], [0, 1, 0]])
    assert multi_label_metric("micro_f1")(labels, predictions) == 2 * 2 / (3 + 3)
    assert label_f1(labels, predictions).tolist() == [1.0, 2 / 3, 0.0]
    assert multi_label_metric("subset_accuracy")(labels, predictions) == 0.5


def test_accuracy_is_refused_and_other_names_too():
    with pytest.raises(
        ConfigError,
        match=r"accuracy is not for several labels a text; use macro_f1, micro_f1, subset_accuracy",
    ):
        multi_label_metric("accuracy")
    with pytest.raises(UnknownNameError, match="micro_f1"):
        multi_label_metric("micro_f2")


def test_probabilities_and_losses_are_those_of_scipy_and_scikit_learn():
    rng = np.random.default_rng(2)
    logits, labels = rng.normal(scale=5, size=(20, 4)), (rng.random((20, 4)) < 0.4).astype(int)
    np.testing.assert_allclose(sigmoid(logits), expit(logits), rtol=1e-15)
    expected = [log_loss(y, expit(z), labels=[0, 1]) for y, z in zip(labels, logits, strict=True)]
    np.testing.assert_allclose(label_losses(labels, logits), expected, rtol=1e-12)
    far = np.array([[800.0, -800.0]])
    assert sigmoid(far).tolist() == [[1.0, 0.0]]
    assert label_losses(np.array([[0, 1]]), far).tolist() == [800.0]


def test_a_label_is_predicted_from_its_threshold_on():
    logits = np.array([[0.0, -1e-12, np.log(3)]])
    assert predicted_labels(logits).tolist() == [[True, False, True]]
    assert predicted_labels(logits, [0.6, 0.4, 0.75]).tolist() == [[False, True, True]]
    assert predicted_labels(logits, [0.5, 0.4, 0.751]).tolist() == [[True, True, False]]
