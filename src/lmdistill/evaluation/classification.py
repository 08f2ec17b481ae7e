"""Metrics of a classifier or a regression against the labels, as GLUE computes them."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Num

from lmdistill.core.errors import ConfigError, DataError, ModelError
from lmdistill.metrics.classification import metric_named, predictions_of, require_suitable
from lmdistill.metrics.per_class import ClassScores, class_scores


def score(
    metrics: Sequence[str], labels: Num[np.ndarray, " b"], logits: Float[np.ndarray, "b v"]
) -> dict[str, float]:
    """Compute metrics from labels and logits, as fractions: 0.5 is 50 %.

    Args:
        metrics: Names in METRICS.
        labels: Class numbers in [0, v), or scores if v = 1.
        logits: One row per example, in the order of the labels; v = 1 for a regression.

    Returns:
        Value of each metric by name, in the order of `metrics`: correlations in [-1, 1], others in [0, 1].

    Raises:
        UnknownNameError: A name is not in METRICS.
        ConfigError: A metric of classes is requested for a regression, or one of scores for a classifier.
        DataError: There are no examples, a label is missing, or a logit is not finite.

    Examples:
        >>> score(["accuracy", "f1"], np.array([0, 1]), np.array([[2.0, 1.0], [0.0, 3.0]]))
        {'accuracy': 1.0, 'f1': 1.0}
    """
    check_labelled(labels, logits)
    num_classes = logits.shape[1]
    require_suitable(metrics, num_classes)
    functions = {name: metric_named(name, num_classes) for name in metrics}
    predictions = predictions_of(logits)
    return {name: function(labels, predictions) for name, function in functions.items()}


def score_by_class(labels: Num[np.ndarray, " b"], logits: Float[np.ndarray, "b v"]) -> Sequence[ClassScores]:
    """Precision, recall and F1 of each class from labels and logits.

    Args:
        labels: Class numbers in [0, v).
        logits: One row per example, in the order of the labels; v >= 2.

    Raises:
        DataError: There are no examples, a label is missing, or a logit is not finite.
    """
    check_labelled(labels, logits)
    return class_scores(labels, predictions_of(logits), logits.shape[1])


def majority(
    metrics: Sequence[str], labels: Num[np.ndarray, " b"], num_classes: int | None = None
) -> dict[str, float]:
    """Metrics of a baseline that always predicts the most frequent class, the lower one if two are tied.

    For a regression (floating-point labels) the baseline predicts the mean label; its correlation is 0.

    Args:
        metrics: Names in METRICS.
        labels: Class numbers, or scores as floats.
        num_classes: Number of classes of the task, all of which count in macro_f1; None counts those that
            occur.

    Returns:
        Value of each metric by name, as from `score`.

    Raises:
        UnknownNameError: A name is not in METRICS.
        DataError: There are no examples.

    Examples:
        >>> majority(["accuracy", "f1", "matthews"], np.array([0, 0, 0, 1]))
        {'accuracy': 0.75, 'f1': 0.0, 'matthews': 0.0}
    """
    if not labels.size:
        raise DataError("there are 0 examples to score; check the split and its filters.")
    constant = labels.mean() if labels.dtype.kind == "f" else np.bincount(labels).argmax()
    predictions = np.full(labels.shape, constant)
    return {name: metric_named(name, num_classes)(labels, predictions) for name in metrics}


def is_at_chance(
    metrics: Sequence[str], labels: Num[np.ndarray, " b"], logits: Float[np.ndarray, "b v"]
) -> bool:
    """Whether a network is no better than the baseline that always predicts the most frequent class.

    The first of `metrics` is compared, or accuracy if that is f1, because a network that always predicts
    class 1 can have a high F1. Every network with constant predictions is at chance.

    Scores are at chance if their correlation with the labels is not above 0, or if it is within two standard
    errors of 0 and the mean of the labels has no larger squared error than they have.

    Args:
        metrics: Names in METRICS; the first one decides.
        labels: Class numbers in [0, v), or scores if v = 1.
        logits: One row per example, in the order of the labels.

    Returns:
        True if the metric is at most that of the baseline.

    Raises:
        UnknownNameError: A name is not in METRICS.
        ConfigError: `metrics` is empty, or its first metric does not suit the network.
        DataError: There are no examples, a label is missing, or a logit is not finite.

    Examples:
        >>> is_at_chance(["accuracy"], np.array([0, 0, 1]), np.array([[1.0, 0.0]] * 3))
        True
    """
    if not metrics:
        raise ConfigError("is_at_chance compares the first metric, got 0 metrics; give at least one.")
    headline = "accuracy" if metrics[0] == "f1" else metrics[0]
    value = score([headline], labels, logits)[headline]
    constant = majority([headline], labels, logits.shape[1])[headline]
    if value <= constant or logits.shape[1] > 1:
        return value <= constant
    error = np.mean(np.square(logits[:, 0].astype(np.float64) - labels))
    return bool(value <= 2 / np.sqrt(len(labels)) and error >= np.var(labels))


def check_finite(logits: Float[np.ndarray, "b v"]) -> None:
    """Check that there are logits, and that all of them are finite.

    Raises:
        DataError: There are no examples, or a value is NaN or infinite.
    """
    if not logits.size:
        raise DataError("there are 0 examples to score; check the split and its filters.")
    bad = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if bad.size:
        raise DataError(
            f"the network's output is not finite for {bad.size} of {len(logits)} examples, "
            f"first for example {bad[0]}; training may have diverged, or the network needs float32."
        )


def check_labelled(labels: Num[np.ndarray, "b *labels"], logits: Float[np.ndarray, "b v"]) -> None:
    """Check that every example has a valid label, or a row of 0 and 1, and finite logits.

    Raises:
        DataError: There are no examples, a logit or score is not finite, a class is outside [0, v), or a row
            has another number.
    """
    check_finite(logits)
    if labels.ndim == 2:
        _check_label_rows(labels)
        return
    num_classes = logits.shape[1]
    bad = ~np.isfinite(labels) if num_classes == 1 else (labels < 0) | (labels >= num_classes)
    if bad.any():
        allowed = "finite scores" if num_classes == 1 else f"classes 0 to {num_classes - 1}"
        raise DataError(
            f"{int(bad.sum())} of {len(labels)} examples have no usable label, first example "
            f"{int(bad.argmax())} with {labels[bad][0]}, but scoring needs {allowed}; use a labelled split."
        )


def _check_label_rows(labels: Num[np.ndarray, "b v"]) -> None:
    """Check that every example has a row of 0 and 1."""
    bad = np.flatnonzero(((labels != 0) & (labels != 1)).any(axis=1))
    if bad.size:
        raise DataError(
            f"{bad.size} of {len(labels)} examples have no usable labels, first example {bad[0]} with "
            f"{labels[bad[0]].tolist()}, but scoring needs a row of 0 and 1; use a labelled split."
        )


def require_finite_logits(source: str, logits: Float[np.ndarray, "b v"]) -> None:
    """Check that a network gives a number for every example.

    Args:
        source: Name of the network.
        logits: One row an example.

    Raises:
        ModelError: If a logit is NaN or infinite.
    """
    wrong = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if wrong.size:
        raise ModelError(
            f"{source} gives {logits[wrong[0]].tolist()} for example {wrong[0]} ({wrong.size} of "
            f"{len(logits)} have no finite logits), and no score can be made of that. Use another model, or "
            "train it again at a lower rate."
        )
