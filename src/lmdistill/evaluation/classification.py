"""Scores of a classifier or a regressor against the labels, as GLUE computes them."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Num

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.metrics.classification import METRICS, REGRESSION_METRICS, metric_named, predictions_of


def score(
    metrics: Sequence[str], labels: Num[np.ndarray, " b"], logits: Float[np.ndarray, "b v"]
) -> dict[str, float]:
    """Every metric of the network that gave `logits`, as fractions: 0.5 is 50 %.

    Args:
        metrics: Names in METRICS.
        labels: Class numbers in [0, v), or scores when v = 1.
        logits: One row an example, in the order of the labels; v = 1 for a regression.

    Returns:
        Metric name to a value in [-1, 1] (correlations) or [0, 1] (the others), in the order asked for.

    Raises:
        UnknownNameError: A name is not in METRICS.
        ConfigError: A metric of classes is asked of scores, or one of scores of classes.
        DataError: There are no examples, a label is missing, or a logit is not finite.

    Examples:
        >>> score(["accuracy", "f1"], np.array([0, 1]), np.array([[2.0, 1.0], [0.0, 3.0]]))
        {'accuracy': 1.0, 'f1': 1.0}
    """
    check_labelled(labels, logits)
    num_classes = logits.shape[1]
    functions = {name: metric_named(name) for name in metrics}
    for name in functions:
        if (name in REGRESSION_METRICS) != (num_classes == 1):
            wanted = "scores" if name in REGRESSION_METRICS else "classes"
            fitting = [known for known in METRICS if (known in REGRESSION_METRICS) == (num_classes == 1)]
            raise ConfigError(
                f"{name} compares {wanted} and the network writes {num_classes} "
                f"value{'s' * (num_classes > 1)} an example; ask for {', '.join(fitting)}."
            )
        if name == "f1" and num_classes > 2:  # even if the third class never wins
            raise ConfigError(
                f"f1 is for 2 classes and the network has {num_classes}; ask for macro_f1 instead."
            )
    predictions = predictions_of(logits)
    return {name: function(labels, predictions) for name, function in functions.items()}


def majority(metrics: Sequence[str], labels: Num[np.ndarray, " b"]) -> dict[str, float]:
    """Every metric of the predictor that always says the most frequent class; what any network must beat.

    Ties go to the lower class. For a regression (floating labels) it always says their mean, whose
    correlation is 0.

    Args:
        metrics: Names in METRICS.
        labels: Class numbers, or scores as floats.

    Returns:
        Metric name to value, as `score` returns it.

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
    return {name: metric_named(name)(labels, predictions) for name in metrics}


def is_at_chance(
    metrics: Sequence[str], labels: Num[np.ndarray, " b"], logits: Float[np.ndarray, "b v"]
) -> bool:
    """Whether the headline metric is no better than what always saying the most frequent class gets.

    The headline is the first of `metrics`, but accuracy where that is f1: always saying class 1 has
    a high F1 and has learned nothing. So every constant network is at chance, on every metric.

    Args:
        metrics: Names in METRICS, headline first.
        labels: Class numbers in [0, v), or scores when v = 1.
        logits: One row an example, in the order of the labels.

    Returns:
        True at or below chance.

    Raises:
        UnknownNameError: A name is not in METRICS.
        ConfigError: `metrics` is empty, or the headline does not fit the logits.
        DataError: There are no examples, a label is missing, or a logit is not finite.

    Examples:
        >>> is_at_chance(["accuracy"], np.array([0, 0, 1]), np.array([[1.0, 0.0]] * 3))
        True
    """
    if not metrics:
        raise ConfigError("chance is judged by the first metric and got 0 metrics; name one.")
    headline = "accuracy" if metrics[0] == "f1" else metrics[0]
    return score([headline], labels, logits)[headline] <= majority([headline], labels)[headline]


def check_finite(logits: Float[np.ndarray, "b v"]) -> None:
    """Check that there are logits and that all are numbers.

    Raises:
        DataError: There are no rows, or a value is NaN or infinite.
    """
    if not logits.size:
        raise DataError("there are 0 examples to score; check the split and its filters.")
    bad = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if bad.size:
        raise DataError(
            f"the network's output is not finite for {bad.size} of {len(logits)} examples, "
            f"first for example {bad[0]}; it diverged in training, or needs float32."
        )


def check_labelled(labels: Num[np.ndarray, " b"], logits: Float[np.ndarray, "b v"]) -> None:
    """Check that every example has a usable label and finite logits.

    Raises:
        DataError: No examples, a logit or score that is not finite, a class outside [0, v).
    """
    check_finite(logits)
    num_classes = logits.shape[1]
    bad = ~np.isfinite(labels) if num_classes == 1 else (labels < 0) | (labels >= num_classes)
    if bad.any():
        allowed = "finite scores" if num_classes == 1 else f"classes 0 to {num_classes - 1}"
        raise DataError(
            f"{int(bad.sum())} of {len(labels)} examples have no usable label, first example "
            f"{int(bad.argmax())} with {labels[bad][0]}, but scoring needs {allowed}; use a labelled split."
        )
