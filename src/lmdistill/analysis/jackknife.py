"""What each dev example contributes to a metric, so that metrics that are no means can be averaged too."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Metric = Callable[[np.ndarray, np.ndarray], float]


def _accuracy(labels: np.ndarray, answers: np.ndarray) -> float:
    """Share of right answers."""
    return float((labels == answers).mean())


def _f1(labels: np.ndarray, answers: np.ndarray) -> float:
    """F1 of class 1; 0 where it neither occurs nor is answered."""
    counted = (labels == 1).sum() + (answers == 1).sum()
    return float(2 * ((labels == 1) & (answers == 1)).sum() / counted) if counted else 0.0


def _macro_f1(labels: np.ndarray, answers: np.ndarray) -> float:
    """Mean over the classes that occur or are answered."""
    classes = np.union1d(labels, answers)
    return float(np.mean([_f1(labels == one, answers == one) for one in classes]))


def _matthews(labels: np.ndarray, answers: np.ndarray) -> float:
    """Correlation of the classes, for any number of them; 0 where it is undefined."""
    classes = np.union1d(labels, answers)
    given, told = labels[:, None] == classes, answers[:, None] == classes
    given, told = given - given.mean(axis=0), told - told.mean(axis=0)
    size = float(np.sqrt((given**2).sum() * (told**2).sum()))
    return float((given * told).sum() / size) if size > 0 else 0.0


def _pearson(labels: np.ndarray, scores: np.ndarray) -> float:
    """Correlation of the values; 0 where it is undefined."""
    if np.ptp(labels) == 0 or np.ptp(scores) == 0:
        return 0.0
    return float(np.corrcoef(labels, scores)[0, 1])


def _spearman(labels: np.ndarray, scores: np.ndarray) -> float:
    """Correlation of the ranks; 0 where it is undefined."""
    return _pearson(stats.rankdata(labels), stats.rankdata(scores))


def _nats(counts: np.ndarray, sums: np.ndarray) -> float:
    """Nats a token of passages, from their tokens and their sums of nats."""
    return float(sums.sum() / counts.sum())


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "accuracy": _accuracy,
        "f1": _f1,
        "macro_f1": _macro_f1,
        "matthews": _matthews,
        "pearson": _pearson,
        "spearman": _spearman,
        "nats": _nats,
    }
)
"""Headline metrics that can be tested: of labels and answers (classes, scores, or tokens and nats)."""


def contributions(metric: Metric, labels: np.ndarray, answers: np.ndarray) -> NDArray[np.float64]:
    r"""One value an example, whose mean is the metric and whose scatter is that of the metric.

    .. math:: \phi_i = \theta + (n - 1) (\bar\theta_{-} - \theta_{-i})

    where :math:`\theta_{-i}` is the metric without example i and :math:`\bar\theta_{-}` the mean of these.
    For an accuracy it is 1 where the answer is right, else 0.

    Args:
        metric: One of `METRICS`.
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
