"""Jackknife pseudo-values: the contribution of each dev example to a metric, also if it is not a mean."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from lmdistill.metrics.classification import METRICS, Metric, metric_named
from lmdistill.metrics.multi_label import leave_one_out, multi_label_metric


def _nats_a_token(counts: np.ndarray, sums: np.ndarray) -> float:
    """Mean nats per token of passages, from their numbers of tokens and their sums of nats."""
    return float(sums.sum() / counts.sum())


HEADLINE_METRICS: Mapping[str, Metric] = MappingProxyType({**METRICS, "nats": _nats_a_token})
"""Headline metrics that can be tested: functions of labels and predictions, or of tokens and nats."""


def headline_metric(name: str, num_classes: int) -> Metric:
    """The function of `HEADLINE_METRICS` called `name`, over all classes of the task."""
    return metric_named(name, num_classes) if name in METRICS else HEADLINE_METRICS[name]


def contributions(metric: Metric, labels: np.ndarray, answers: np.ndarray) -> NDArray[np.float64]:
    r"""One value per example; their mean is the metric, and their variance estimates the metric's variance.

    .. math:: \phi_i = \theta + (n - 1) (\bar\theta_{-} - \theta_{-i})

    where :math:`\theta_{-i}` is the metric without example i and :math:`\bar\theta_{-}` the mean of these.
    For the accuracy, it is 1 for a correct prediction and 0 otherwise.

    Args:
        metric: One of `HEADLINE_METRICS`.
        labels: Gold labels, (n,); for nats per token, the numbers of tokens.
        answers: Predictions of a network, (n,); for nats per token, the sums of nats.

    Returns:
        The contributions, (n,).

    Examples:
        >>> values = contributions(METRICS["f1"], np.array([1, 1, 0, 0]), np.array([1, 0, 1, 0]))
        >>> values.round(3).tolist(), round(float(values.mean()), 3)
        ([1.875, -0.125, -0.125, 0.375], 0.5)

    References:
        Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 11: the jackknife's
        pseudo-values. Deviation: shifted so that their mean is the metric itself and not its bias-corrected
        estimate, which centres the interval on the number in the table.
    """
    full, size = metric(labels, answers), len(labels)
    if size < 2:
        return np.full(size, full)
    pairs = np.stack([labels, answers])
    # examples with the same label and prediction have the same contribution
    _, first, kinds = np.unique(pairs, axis=1, return_index=True, return_inverse=True)
    unique = np.array([metric(np.delete(labels, at), np.delete(answers, at)) for at in first])
    return _pseudo_values(full, unique[kinds.reshape(-1)])


def label_contributions(metric: str, labels: np.ndarray, answers: np.ndarray) -> NDArray[np.float64]:
    """The same for a metric of several labels a text.

    Args:
        metric: A key of `MULTI_LABEL_METRICS`.
        labels: Rows of 0 and 1, (n, v).
        answers: Whether each label is predicted, (n, v).

    Returns:
        The contributions, (n,).

    Examples:
        >>> labels, answers = np.array([[1, 0], [1, 1]]), np.array([[1, 0], [1, 0]])
        >>> label_contributions("subset_accuracy", labels, answers).tolist()
        [1.0, 0.0]
    """
    full = multi_label_metric(metric)(labels, answers)
    return (
        np.full(1, full) if len(labels) < 2 else _pseudo_values(full, leave_one_out(metric, labels, answers))
    )


def _pseudo_values(full: float, without: NDArray[np.float64]) -> NDArray[np.float64]:
    """The contributions, from the metric of all examples and without each of them."""
    values: NDArray[np.float64] = full + (len(without) - 1) * (without.mean() - without)
    return values
