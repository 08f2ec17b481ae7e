"""What each dev example contributes to a metric, so that metrics that are no means can be averaged too."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from lmdistill.metrics.classification import METRICS, Metric


def _nats_a_token(counts: np.ndarray, sums: np.ndarray) -> float:
    """Mean nats a token of passages, from their numbers of tokens and their sums of nats."""
    return float(sums.sum() / counts.sum())


HEADLINE_METRICS: Mapping[str, Metric] = MappingProxyType({**METRICS, "nats": _nats_a_token})
"""Headline metrics that can be tested: of labels and answers (classes, scores, or tokens and nats)."""


def contributions(metric: Metric, labels: np.ndarray, answers: np.ndarray) -> NDArray[np.float64]:
    r"""One value an example, whose mean is the metric and whose scatter is that of the metric.

    .. math:: \phi_i = \theta + (n - 1) (\bar\theta_{-} - \theta_{-i})

    where :math:`\theta_{-i}` is the metric without example i and :math:`\bar\theta_{-}` the mean of these.
    For an accuracy it is 1 where the answer is right, else 0.

    Args:
        metric: One of `HEADLINE_METRICS`.
        labels: Gold labels, (n,).
        answers: What a network made of them, (n,).

    Returns:
        The contributions, (n,).

    Examples:
        >>> found = contributions(METRICS["f1"], np.array([1, 1, 0, 0]), np.array([1, 0, 1, 0]))
        >>> found.round(3).tolist(), round(float(found.mean()), 3)
        ([1.875, -0.125, -0.125, 0.375], 0.5)

    References:
        Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 11: the jackknife's
        pseudo-values. Deviation: shifted so that their mean is the metric itself and not its estimate free of
        bias, which keeps the interval around the number in the table.
    """
    whole, size = metric(labels, answers), len(labels)
    if size < 2:
        return np.full(size, whole)
    pairs = np.stack([labels, answers])
    _, first, kinds = np.unique(pairs, axis=1, return_index=True, return_inverse=True)  # alike count alike
    without = np.array([metric(np.delete(labels, at), np.delete(answers, at)) for at in first])
    left = without[kinds.reshape(-1)]
    values: NDArray[np.float64] = whole + (size - 1) * (left.mean() - left)
    return values
