"""Quality of a network on a task of any kind: classes, scores, or any number of labels a text.

Labels of the last kind are rows of 0 and 1, by which it is recognised.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Num

from lmdistill.evaluation import multi_label
from lmdistill.evaluation.calibration import Bin, calibration, reliability_bins
from lmdistill.evaluation.classification import is_at_chance, majority, score
from lmdistill.evaluation.multi_label import Thresholds

Labels = Num[np.ndarray, "b *labels"]
"""Class numbers, scores, or rows of 0 and 1."""

Logits = Float[np.ndarray, "b v"]
"""One row an example."""


def task_scores(
    metrics: Sequence[str], labels: Labels, logits: Logits, thresholds: Thresholds = None
) -> dict[str, float]:
    """Metrics against the labels, as fractions; see `classification.score` and `multi_label.score_labels`.

    Args:
        metrics: Names of metrics of the kind of task.
        labels: Of every example.
        logits: One row an example.
        thresholds: Of several labels a text; None is 0.5 for all.
    """
    if labels.ndim == 2:
        return multi_label.score_labels(metrics, labels, logits, thresholds)
    return score(metrics, labels, logits)


def constant_task_scores(metrics: Sequence[str], labels: Labels, num_classes: int) -> dict[str, float]:
    """Metrics of a constant prediction; see `classification.majority` and `multi_label.constant_scores`."""
    if labels.ndim == 2:
        return multi_label.constant_scores(metrics, labels)
    return majority(metrics, labels, num_classes)


def is_task_at_chance(
    metrics: Sequence[str], labels: Labels, logits: Logits, thresholds: Thresholds = None
) -> bool:
    """Whether a network learned nothing: `classification.is_at_chance` or `multi_label.are_at_chance`."""
    if labels.ndim == 2:
        return multi_label.are_at_chance(labels, logits, thresholds)
    return is_at_chance(metrics, labels, logits)


def task_calibration(labels: Labels, logits: Logits) -> tuple[dict[str, float], tuple[Bin, ...]]:
    """Calibration metrics by name, and the bins of a reliability diagram; not for scores."""
    if labels.ndim == 2:
        return multi_label.label_calibration(labels, logits), multi_label.pooled_bins(labels, logits)
    return calibration(labels, logits), reliability_bins(labels, logits)
