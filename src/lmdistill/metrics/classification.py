"""Metrics of classifiers and regressors as GLUE computes them: accuracy, F1, Matthews, Pearson, Spearman.

Values agree with scikit-learn 1.9 and SciPy 1.17 to the last bit. Neither is imported: both load slowly.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool, Float, Num

from lmdistill.core.errors import ConfigError, UnknownNameError

Metric = Callable[[Num[np.ndarray, " b"], Num[np.ndarray, " b"]], float]
"""A function of labels and predictions."""

REGRESSION_METRICS = frozenset({"pearson", "spearman"})
"""Names of METRICS that compare scores; all others compare classes."""


def accuracy(labels: Num[np.ndarray, " b"], predictions: Num[np.ndarray, " b"]) -> float:
    """Share of predictions that equal their label, in [0, 1].

    Examples:
        >>> accuracy(np.array([0, 1, 1, 0]), np.array([0, 1, 0, 0]))
        0.75
    """
    return float((labels == predictions).mean())


def f1(labels: Num[np.ndarray, " b"], predictions: Num[np.ndarray, " b"]) -> float:
    """F1 of class 1 against class 0, in [0, 1]; 0 when class 1 neither occurs nor is predicted.

    Raises:
        ConfigError: There are more than two classes.

    Examples:
        >>> f1(np.array([0, 1, 1]), np.array([1, 1, 0]))  # precision 1/2, recall 1/2
        0.5
    """
    top = int(max(labels.max(), predictions.max()))
    if top > 1:
        raise ConfigError(f"f1 is for classes 0 and 1 and here is a class {top}; ask for macro_f1 instead.")
    return _f1_of(labels == 1, predictions == 1)


def macro_f1(
    labels: Num[np.ndarray, " b"], predictions: Num[np.ndarray, " b"], num_classes: int | None = None
) -> float:
    """Plain mean of every class's F1, in [0, 1], as `f1_score(..., labels=range(num_classes))`.

    Args:
        labels: Class numbers.
        predictions: Class numbers.
        num_classes: Number of classes of the task, all of which count, those that neither occur nor are
            predicted with 0; so the score of a network does not depend on what others predict. None counts
            the classes that are a label or a prediction.

    Examples:
        >>> labels, predictions = np.array([0, 1, 2, 2]), np.array([0, 1, 2, 1])
        >>> round(macro_f1(labels, predictions), 4)  # (1 + 2/3 + 2/3) / 3
        0.7778
        >>> round(macro_f1(labels, predictions, 4), 4)  # class 3 counts with 0
        0.5833
    """
    classes = np.union1d(labels, predictions) if num_classes is None else np.arange(num_classes)
    return float(np.mean([_f1_of(labels == one, predictions == one) for one in classes]))


def _f1_of(actual: Bool[np.ndarray, " b"], predicted: Bool[np.ndarray, " b"]) -> float:
    """F1 of one class against all others, 2 TP / (2 TP + FP + FN); 0 where that is 0/0."""
    total = int(actual.sum()) + int(predicted.sum())
    return 2 * int((actual & predicted).sum()) / total if total else 0.0


def matthews(labels: Num[np.ndarray, " b"], predictions: Num[np.ndarray, " b"]) -> float:
    """Matthews correlation of any number of classes, in [-1, 1]; 0 when labels or predictions are constant.

    Examples:
        >>> matthews(np.array([0, 1, 1, 0]), np.array([1, 0, 0, 1]))
        -1.0

    References:
        Gorodkin, "Comparing two K-category assignments by a K-category correlation coefficient", 2004,
        equation 8, from counts. Deviation: 0 where it is 0/0.
    """
    if _is_constant(labels) or _is_constant(predictions):
        return 0.0
    classes = np.union1d(labels, predictions)
    actual = (labels[:, None] == classes).sum(axis=0).astype(np.float64)
    predicted = (predictions[:, None] == classes).sum(axis=0).astype(np.float64)
    size, correct = float(len(labels)), float((labels == predictions).sum())
    covariance = correct * size - float(actual @ predicted)
    variances = (size**2 - float(actual @ actual)) * (size**2 - float(predicted @ predicted))
    return float(covariance / np.sqrt(variances))


def pearson(labels: Num[np.ndarray, " b"], predictions: Num[np.ndarray, " b"]) -> float:
    """Pearson's correlation, in [-1, 1]; 0 when labels or predictions are constant.

    Examples:
        >>> round(pearson(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0])), 12)
        1.0
    """
    if _is_constant(labels) or _is_constant(predictions):  # 0/0
        return 0.0
    correlation = float(np.dot(_unit_deviations(labels), _unit_deviations(predictions)))
    if len(labels) == 2:
        return float(np.round(correlation))  # exactly -1 or 1
    return min(max(correlation, -1.0), 1.0)  # rounding may leave [-1, 1]


def _unit_deviations(values: Num[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
    """Deviations from the mean in float64, as a vector of length 1."""
    deviations = values.astype(np.float64)
    deviations -= deviations.mean()
    largest = np.abs(deviations).max()
    length = largest * np.sqrt(np.square(deviations / largest).sum())  # squares of large values overflow
    unit: Float[np.ndarray, " b"] = deviations / length
    return unit


def spearman(labels: Num[np.ndarray, " b"], predictions: Num[np.ndarray, " b"]) -> float:
    """Spearman's rank correlation, in [-1, 1]; 0 when labels or predictions are constant.

    Examples:
        >>> round(spearman(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 80.0])), 12)
        1.0
    """
    return pearson(_ranks(labels), _ranks(predictions))


def _ranks(values: Num[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
    """Ranks from 1; equal values share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Float[np.ndarray, " b"] = (last - (counts - 1) / 2)[place]
    return ranks


def predictions_of(logits: Float[np.ndarray, "b v"]) -> Num[np.ndarray, " b"]:
    """The class of the highest logit (the lower class on ties), or the score itself where v = 1."""
    return logits[:, 0] if logits.shape[1] == 1 else logits.argmax(axis=1)


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "accuracy": accuracy,
        "f1": f1,
        "macro_f1": macro_f1,
        "matthews": matthews,
        "pearson": pearson,
        "spearman": spearman,
    }
)
"""Name to function(labels, predictions): class numbers, or scores for a regression."""


def metric_named(name: str, num_classes: int | None = None) -> Metric:
    """The function of METRICS called `name`.

    Args:
        name: A key of METRICS.
        num_classes: Number of classes of the task, for metrics in which all of them count (`macro_f1`).

    Raises:
        UnknownNameError: METRICS has no such name.
    """
    if name not in METRICS:
        raise UnknownNameError("metric", name, METRICS)
    return partial(macro_f1, num_classes=num_classes) if name == "macro_f1" else METRICS[name]


def require_suitable(metrics: Sequence[str], num_outputs: int) -> None:
    """Check that metrics exist and suit a network, or a task.

    Args:
        metrics: Names.
        num_outputs: Number of classes; 1 for scores.

    Raises:
        UnknownNameError: METRICS has no such name.
        ConfigError: A metric of classes is requested for scores, or the reverse, or f1 for several classes.
    """
    suitable = [
        name
        for name in METRICS
        if (name in REGRESSION_METRICS) == (num_outputs == 1) and (name != "f1" or num_outputs == 2)
    ]
    outputs = f"{num_outputs} output{'s' * (num_outputs > 1)}"
    for name in metrics:
        metric_named(name)
        if name == "f1" and num_outputs > 2:  # even if only two of the classes are predicted
            raise ConfigError(f"f1 is for 2 classes and the network has {num_outputs}; use macro_f1 instead.")
        if name not in suitable:
            compared = "scores" if name in REGRESSION_METRICS else "classes"
            raise ConfigError(
                f"{name} compares {compared} and the network has {outputs}; use {', '.join(suitable)}."
            )


def _is_constant(values: Num[np.ndarray, " b"]) -> bool:
    """Whether no two values differ by more than rounding."""
    spread = float(values.max()) - float(values.min())
    return spread <= 1e-12 * float(np.abs(values).max())
