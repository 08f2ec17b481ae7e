"""Metrics of multi-label tasks, where a text has any number of labels, and the labels that are predicted.

Labels and predictions are rows of 0 and 1, or of truth values, one column for each label. Values agree with
scikit-learn 1.9 (`zero_division=0`) to the last bit.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool, Float, Num, Shaped

from lmdistill.core.errors import ConfigError, UnknownNameError
from lmdistill.metrics.classification import METRICS

Counts = Float[np.ndarray, "*b v"]
"""Numbers of examples by label."""

THRESHOLD = 0.5
"""Probability from which on a label is predicted, unless others are chosen."""


def sigmoid(logits: Float[np.ndarray, "*b v"]) -> Float[np.ndarray, "*b v"]:
    """Probability of each label, in float64.

    Examples:
        >>> sigmoid(np.log([1.0, 3.0])).round(12).tolist()
        [0.5, 0.75]
    """
    wide = logits.astype(np.float64)
    small = np.exp(-np.abs(wide))  # never overflows
    probabilities: Float[np.ndarray, "*b v"] = np.where(wide >= 0, 1.0, small) / (1.0 + small)
    return probabilities


def predicted_labels(
    logits: Float[np.ndarray, "b v"], thresholds: Sequence[float] | None = None
) -> Bool[np.ndarray, "b v"]:
    """Whether each label is predicted: its probability is at least its threshold.

    Args:
        logits: One row an example.
        thresholds: One for each label, in [0, 1]; None is 0.5 for all.

    Examples:
        >>> logits = np.log([[1.0, 3.0]])  # 1/2 and 3/4
        >>> predicted_labels(logits).tolist(), predicted_labels(logits, [0.5, 0.8]).tolist()
        ([[True, True]], [[True, False]])
    """
    chosen = np.full(logits.shape[1], THRESHOLD) if thresholds is None else np.asarray(thresholds)
    found: Bool[np.ndarray, "b v"] = sigmoid(logits) >= chosen
    return found


def label_losses(labels: Num[np.ndarray, "b v"], logits: Float[np.ndarray, "b v"]) -> Float[np.ndarray, " b"]:
    """Binary cross-entropy of each example, the mean over its labels, in nats and float64.

    Args:
        labels: Rows of 0 and 1, or of probabilities.
        logits: One row per example.

    Examples:
        >>> label_losses(np.array([[1, 0]]), np.array([[0.0, 0.0]])).round(4).tolist()
        [0.6931]
    """
    wide = logits.astype(np.float64)
    losses = np.maximum(wide, 0.0) - wide * labels + np.log1p(np.exp(-np.abs(wide)))
    found: Float[np.ndarray, " b"] = losses.mean(axis=1)
    return found


def micro_f1(labels: Shaped[np.ndarray, "b v"], predictions: Shaped[np.ndarray, "b v"]) -> float:
    """F1 of all decisions about a label together, in [0, 1]; 0 if there is neither a label nor a prediction.

    Examples:
        >>> micro_f1(np.array([[1, 0], [1, 1]]), np.array([[1, 1], [1, 0]]))  # 2 of 3 predicted, 2 of 3 there
        0.6666666666666666
    """
    return float(_micro(*_counts(labels, predictions)))


def macro_f1(labels: Shaped[np.ndarray, "b v"], predictions: Shaped[np.ndarray, "b v"]) -> float:
    """Plain mean of every label's F1, in [0, 1]; 0 for a label that neither occurs nor is predicted.

    Examples:
        >>> macro_f1(np.array([[1, 0], [1, 1]]), np.array([[1, 1], [1, 0]]))  # 1 and 0
        0.5
    """
    return float(_macro(*_counts(labels, predictions)))


def subset_accuracy(labels: Shaped[np.ndarray, "b v"], predictions: Shaped[np.ndarray, "b v"]) -> float:
    """Share of examples all of whose labels are predicted and no other, in [0, 1].

    Examples:
        >>> subset_accuracy(np.array([[1, 0], [1, 1]]), np.array([[1, 0], [1, 0]]))
        0.5
    """
    return float((labels == predictions).all(axis=1).mean())


def label_f1(
    labels: Shaped[np.ndarray, "b v"], predictions: Shaped[np.ndarray, "b v"]
) -> Float[np.ndarray, " v"]:
    """F1 of each label, in [0, 1]; 0 for a label that neither occurs nor is predicted.

    Examples:
        >>> label_f1(np.array([[1, 0], [1, 1]]), np.array([[1, 1], [1, 0]])).tolist()
        [1.0, 0.0]
    """
    return _f1(*_counts(labels, predictions))


MULTI_LABEL_METRICS: Mapping[str, Callable[[np.ndarray, np.ndarray], float]] = MappingProxyType(
    {"macro_f1": macro_f1, "micro_f1": micro_f1, "subset_accuracy": subset_accuracy}
)
"""Name to function(labels, predictions)."""


def multi_label_metric(name: str) -> Callable[[np.ndarray, np.ndarray], float]:
    """The function of MULTI_LABEL_METRICS called `name`.

    Raises:
        ConfigError: It is a metric of tasks with one label a text, such as accuracy.
        UnknownNameError: There is no such metric.
    """
    if name not in MULTI_LABEL_METRICS:
        require_for_labels((name,))
        raise UnknownNameError("metric of multi-label tasks", name, MULTI_LABEL_METRICS)
    return MULTI_LABEL_METRICS[name]


def require_for_labels(names: Sequence[str]) -> None:
    """Check that no metric is for one label a text, or for scores.

    Raises:
        ConfigError: One is.
    """
    for name in names:
        if name in METRICS and name not in MULTI_LABEL_METRICS:
            raise ConfigError(
                f"{name} is not for several labels a text; use {', '.join(MULTI_LABEL_METRICS)}. "
                "subset_accuracy is the share of texts with all their labels and no other."
            )


def leave_one_out(
    name: str, labels: Shaped[np.ndarray, "b v"], predictions: Shaped[np.ndarray, "b v"]
) -> Float[np.ndarray, " b"]:
    """A metric without each of the examples in turn; from counts, so that it takes one pass.

    Args:
        name: A key of MULTI_LABEL_METRICS.
        labels: Rows of 0 and 1, at least two.
        predictions: The same of a network.

    Examples:
        >>> leave_one_out("subset_accuracy", np.array([[1, 0], [1, 1]]), np.array([[1, 0], [1, 0]])).tolist()
        [0.0, 1.0]
    """
    size = len(labels)
    if name == "subset_accuracy":
        correct = (labels == predictions).all(axis=1).astype(np.float64)
        without: Float[np.ndarray, " b"] = (correct.sum() - correct) / (size - 1)
        return without
    true, total = _counts(labels, predictions)
    own_true = ((labels > 0) & (predictions > 0)).astype(np.float64)
    own_total = (labels > 0).astype(np.float64) + (predictions > 0)
    found: Float[np.ndarray, " b"] = {"micro_f1": _micro, "macro_f1": _macro}[name](
        true - own_true, total - own_total
    )
    return found


def _counts(
    labels: Shaped[np.ndarray, "b v"], predictions: Shaped[np.ndarray, "b v"]
) -> tuple[Counts, Counts]:
    """By label: true positives; and examples with the label plus those for which it is predicted."""
    actual, predicted = labels > 0, predictions > 0
    true = (actual & predicted).sum(axis=0).astype(np.float64)
    return true, actual.sum(axis=0).astype(np.float64) + predicted.sum(axis=0)


def _f1(true: Counts, total: Counts) -> Counts:
    """F1 = 2 TP / (labels + predictions), and 0 where that is 0/0."""
    values: Counts = np.divide(2 * true, total, out=np.zeros_like(true), where=total > 0)
    return values


def _micro(true: Counts, total: Counts) -> Float[np.ndarray, "*b"]:
    """F1 of the sums over labels."""
    return _macro(true.sum(axis=-1, keepdims=True), total.sum(axis=-1, keepdims=True))


def _macro(true: Counts, total: Counts) -> Float[np.ndarray, "*b"]:
    """Mean over labels of F1."""
    return np.asarray(_f1(true, total).mean(axis=-1))
