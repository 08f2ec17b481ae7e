"""Evaluation of multi-label classifiers: metrics, chance, agreement, calibration, thresholds.

Labels are rows of 0 and 1, one column for each label, and each label is a decision of its own.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, Num

from lmdistill.core.errors import DataError
from lmdistill.evaluation.calibration import Bin, calibration_error, confidence_bins
from lmdistill.evaluation.classification import check_labelled
from lmdistill.metrics.multi_label import (
    THRESHOLD,
    label_losses,
    multi_label_metric,
    predicted_labels,
    sigmoid,
)

Thresholds = Sequence[float] | None
"""Probability of each label from which on it is predicted; None is 0.5 for all."""


def score_labels(
    metrics: Sequence[str],
    labels: Num[np.ndarray, "b v"],
    logits: Float[np.ndarray, "b v"],
    thresholds: Thresholds = None,
) -> dict[str, float]:
    """Metrics of a multi-label task, as fractions.

    Args:
        metrics: Names in MULTI_LABEL_METRICS.
        labels: Rows of 0 and 1.
        logits: One row per example, in the order of the labels.
        thresholds: From which probabilities on labels are predicted.

    Raises:
        UnknownNameError: There is no such metric.
        ConfigError: A metric is for one label a text.
        DataError: There are no examples, labels are missing, or a logit is not finite.

    Examples:
        >>> labels, logits = np.array([[1, 0], [1, 1]]), np.array([[2.0, -1.0], [3.0, -1.0]])
        >>> score_labels(["subset_accuracy", "macro_f1"], labels, logits)
        {'subset_accuracy': 0.5, 'macro_f1': 0.5}
    """
    functions = {name: multi_label_metric(name) for name in metrics}
    check_labelled(labels, logits)
    predictions = predicted_labels(logits, thresholds)
    return {name: function(labels, predictions) for name, function in functions.items()}


def constant_scores(metrics: Sequence[str], labels: Num[np.ndarray, "b v"]) -> dict[str, float]:
    """For each metric, the highest value that the same labels for every text reach.

    They are the k most frequent labels with the best k, all of them for macro F1, and the most frequent set
    of labels for the subset accuracy.

    Args:
        metrics: Names in MULTI_LABEL_METRICS.
        labels: Rows of 0 and 1.

    Raises:
        DataError: There are no examples.

    Examples:
        >>> constant_scores(["micro_f1", "subset_accuracy"], np.array([[1, 0], [1, 0], [0, 0]]))
        {'micro_f1': 0.8, 'subset_accuracy': 0.6666666666666666}
    """
    if not labels.size:
        raise DataError("there are 0 examples to score; check the split and its filters.")
    size = labels.shape[1]
    order = np.argsort(-labels.sum(axis=0), kind="stable")
    sets, counts = np.unique(labels, axis=0, return_counts=True)
    answers = [np.isin(np.arange(size), order[:count]) for count in range(size + 1)]
    answers.append(sets[counts.argmax()] > 0)
    return {
        name: max(multi_label_metric(name)(labels, np.tile(answer, (len(labels), 1))) for answer in answers)
        for name in metrics
    }


def are_at_chance(
    labels: Num[np.ndarray, "b v"], logits: Float[np.ndarray, "b v"], thresholds: Thresholds = None
) -> bool:
    """Whether predictions are no better than labels that do not depend on the text.

    Their micro F1 is compared with that of labels which are predicted as often, at random: of a label that n
    texts have and that is predicted for m of b, n m / b are right on average. The same labels for every text
    are at chance.

    Args:
        labels: Rows of 0 and 1.
        logits: One row per example.
        thresholds: From which probabilities on labels are predicted.

    Examples:
        >>> are_at_chance(np.array([[1, 0], [0, 1]]), np.array([[3.0, 3.0], [3.0, 3.0]]))
        True
    """
    check_labelled(labels, logits)
    predictions = predicted_labels(logits, thresholds)
    right = int((predictions & (labels > 0)).sum())
    by_label = labels.sum(axis=0).astype(np.int64) * predictions.sum(axis=0)
    return right * len(labels) <= int(by_label.sum())


def predicts_nothing(logits: Float[np.ndarray, "b v"], thresholds: Thresholds = None) -> bool:
    """Whether no label is predicted for any example.

    Args:
        logits: One row per example.
        thresholds: From which probabilities on labels are predicted.
    """
    return not predicted_labels(logits, thresholds).any()


def label_agreement(
    student: Float[np.ndarray, "b v"],
    teacher: Float[np.ndarray, "b v"],
    thresholds: tuple[Thresholds, Thresholds] = (None, None),
) -> dict[str, float]:
    """Agreement of two networks, without labels.

    Args:
        student: Logits of the student.
        teacher: Logits of the teacher.
        thresholds: Of student and teacher.

    Returns:
        `set_agreement`, the share of examples with the same predicted labels, and `label_agreement`, the
        share of equal decisions about a label, in [0, 1]; `kl_nats`, the mean over labels of KL(teacher ||
        student) between Bernoulli distributions, in nats; `probability_difference`, the mean of
        |p_student - p_teacher|, in [0, 1].

    Examples:
        >>> found = label_agreement(np.log([[1.0, 1.0]]), np.log([[3.0, 3.0]]))
        >>> {name: round(value, 4) for name, value in found.items()}  # 1/2 and 3/4, as KL(3/4 || 1/2)
        {'set_agreement': 1.0, 'label_agreement': 1.0, 'kl_nats': 0.1308, 'probability_difference': 0.25}
    """
    same = predicted_labels(student, thresholds[0]) == predicted_labels(teacher, thresholds[1])
    ours, theirs = sigmoid(student), sigmoid(teacher)
    divergence = label_losses(theirs, student) - label_losses(theirs, teacher)
    return {
        "set_agreement": float(same.all(axis=1).mean()),
        "label_agreement": float(same.mean()),
        "kl_nats": max(0.0, float(divergence.mean())),  # rounding may give -1e-17 for equal distributions
        "probability_difference": float(np.abs(ours - theirs).mean()),
    }


def calibration_by_label(
    labels: Num[np.ndarray, "b v"], logits: Float[np.ndarray, "b v"]
) -> Float[np.ndarray, " v"]:
    """Calibration error of each label: its probability against the share of texts that have it.

    Returns:
        The expected calibration error in 15 bins of the probability, in [0, 1].

    Examples:
        >>> calibration_by_label(np.array([[1], [0]]), np.log([[1.0], [1.0]])).tolist()
        [0.0]

    References:
        Nixon et al., "Measuring Calibration in Deep Learning", 2019, static calibration error: bins of every
        class's probability, not of that of the predicted class alone. Deviation: one value for each label.
    """
    probabilities = sigmoid(logits)
    errors = [
        calibration_error(confidence_bins(probabilities[:, label], labels[:, label] > 0))
        for label in range(labels.shape[1])
    ]
    return np.array(errors)


def label_calibration(labels: Num[np.ndarray, "b v"], logits: Float[np.ndarray, "b v"]) -> dict[str, float]:
    """Calibration metrics by name, as for one label a text: means over labels.

    Returns:
        `expected_calibration_error` ([0, 1]), `brier`, the mean squared error of the probabilities ([0, 1]),
        and `negative_log_likelihood` (nats).

    Raises:
        DataError: There are no examples, labels are missing, or a logit is not finite.
    """
    check_labelled(labels, logits)
    return {
        "expected_calibration_error": float(calibration_by_label(labels, logits).mean()),
        "brier": float(np.square(sigmoid(logits) - labels).mean()),
        "negative_log_likelihood": float(label_losses(labels, logits).mean()),
    }


def pooled_bins(labels: Num[np.ndarray, "b v"], logits: Float[np.ndarray, "b v"]) -> tuple[Bin, ...]:
    """Probability and share of texts that have the label, over all labels together, in 15 bins."""
    return confidence_bins(sigmoid(logits).ravel(), labels.ravel() > 0)


def choose_thresholds(labels: Int[np.ndarray, "b v"], logits: Float[np.ndarray, "b v"]) -> tuple[float, ...]:
    """The threshold of each label with the highest F1 of that label, which gives the highest macro F1.

    Of several equally good ones, the one nearest to 0.5; a label that no example has keeps 0.5.

    Args:
        labels: Rows of 0 and 1.
        logits: One row per example.

    Returns:
        One threshold for each label, in (0, 1), half-way between two probabilities unless it is 0.5.

    Raises:
        DataError: There are no examples, labels are missing, or a logit is not finite.

    Examples:
        >>> labels, odds = np.array([[1], [1], [0]]), np.array([[3.0], [1 / 3], [1 / 9]])
        >>> [round(value, 3) for value in choose_thresholds(labels, np.log(odds))]  # between 1/4 and 1/10
        [0.175]

    References:
        Yang, "A Study of Thresholding Strategies for Text Categorization", 2001, SCut: for each label the
        threshold that is best on held-out texts. The optimum is noisy for labels that few of them have.
    """
    check_labelled(labels, logits)
    probabilities = sigmoid(logits)
    return tuple(
        _best_threshold(labels[:, label], probabilities[:, label]) for label in range(labels.shape[1])
    )


def _best_threshold(labels: Int[np.ndarray, " b"], probabilities: Float[np.ndarray, " b"]) -> float:
    """The threshold of one label."""
    total = int(labels.sum())
    if not total:
        return THRESHOLD
    order = np.argsort(-probabilities, kind="stable")
    falling = probabilities[order]
    following = np.append(falling[1:], 0.0)
    f1 = 2 * np.cumsum(labels[order]) / (np.arange(1, len(order) + 1) + total)
    between = (falling + following) / 2
    between = np.where((following < THRESHOLD) & (falling >= THRESHOLD), THRESHOLD, between)
    usable = (falling > following) & (between > following) & (between <= falling)
    f1 = np.where(usable, f1, -1.0)
    best = np.flatnonzero(f1 == f1.max())
    return float(between[best[np.abs(between[best] - THRESHOLD).argmin()]])
