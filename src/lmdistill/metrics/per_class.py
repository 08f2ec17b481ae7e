"""Precision, recall and F1 of each class, in numpy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Num


@dataclass(frozen=True, kw_only=True)
class ClassScores:
    """How well one class is told from all others."""

    precision: float
    """Share of its predictions that are right, in [0, 1]; 0 if it is never predicted."""

    recall: float
    """Share of its examples that are found, in [0, 1]; 0 if there are none."""

    f1: float
    """Harmonic mean of both, in [0, 1]; 0 if it neither occurs nor is predicted."""

    support: int
    """Number of its examples."""

    predicted: int
    """Number of examples that it is predicted for."""


def class_scores(
    labels: Num[np.ndarray, " b"], predictions: Num[np.ndarray, " b"], num_classes: int
) -> Sequence[ClassScores]:
    """The scores of each class, as scikit-learn's `precision_recall_fscore_support` with all labels.

    Args:
        labels: Class numbers in [0, num_classes).
        predictions: Class numbers in [0, num_classes).
        num_classes: Number of classes.

    Returns:
        One entry for each class; a share of nothing is 0 (`zero_division=0`).

    Examples:
        >>> first, second = class_scores(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), 2)
        >>> first.precision, round(first.recall, 3), second.precision, second.recall, second.support
        (1.0, 0.667, 0.5, 1.0, 1)
    """
    scores = []
    for one in range(num_classes):
        support, predicted = int((labels == one).sum()), int((predictions == one).sum())
        found = int(((labels == one) & (predictions == one)).sum())
        scores.append(
            ClassScores(
                precision=_share(found, predicted),
                recall=_share(found, support),
                f1=_share(2 * found, support + predicted),
                support=support,
                predicted=predicted,
            )
        )
    return scores


def _share(part: int, whole: int) -> float:
    """A share of a whole; 0 of nothing."""
    return part / whole if whole else 0.0
