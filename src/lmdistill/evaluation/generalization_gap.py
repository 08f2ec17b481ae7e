"""Generalization gap: empirical risk on the dev set minus that on the training set, as bounded in MixKD."""

import math

import numpy as np
from jaxtyping import Float, Num
from scipy.stats import t as student_t

from lmdistill.evaluation.classification import check_labelled
from lmdistill.metrics.multi_label import label_losses, predicted_labels
from lmdistill.metrics.probabilities import log_softmax


def empirical_risk(labels: Num[np.ndarray, "b *labels"], logits: Float[np.ndarray, "b v"]) -> float:
    """Mean loss over examples: cross-entropy in nats, or squared error for a regression (v = 1).

    With several labels a text, it is the binary cross-entropy, the mean over labels.

    Args:
        labels: Class numbers in [0, v), scores if v = 1, or rows of 0 and 1.
        logits: One row per example, in the order of the labels.

    Returns:
        The risk, >= 0, computed in float64.

    Raises:
        DataError: There are no examples, a label is missing, or a logit is not finite.

    Examples:
        >>> round(empirical_risk(np.array([1]), np.log([[0.75, 0.25]])), 4)  # log 4
        1.3863
        >>> empirical_risk(np.array([2.0, 5.0]), np.array([[1.0], [5.0]]))
        0.5
    """
    return float(_losses(labels, logits).mean())


def _losses(
    labels: Num[np.ndarray, "b *labels"], logits: Float[np.ndarray, "b v"]
) -> Float[np.ndarray, " b"]:
    """Loss of each example, in float64."""
    check_labelled(labels, logits)
    if labels.ndim == 2:
        return label_losses(labels, logits)
    if logits.shape[1] == 1:
        squares: Float[np.ndarray, " b"] = np.square(logits[:, 0].astype(np.float64) - labels)
        return squares
    log_probs = log_softmax(logits)
    losses: Float[np.ndarray, " b"] = -log_probs[np.arange(len(labels)), labels]
    return losses


def risk_interval(
    labels: Num[np.ndarray, "n *labels"], logits: Float[np.ndarray, "n v"], *, total: int
) -> tuple[float, float]:
    """95 % confidence interval of the mean loss over `total` examples, estimated from a random sample.

    It is Student's t interval with the finite-population correction, so its width is 0 if the sample contains
    all examples.

    Args:
        labels: Class numbers in [0, v), or scores if v = 1.
        logits: One row per example of the sample, in the order of the labels.
        total: Number of examples in the population, >= n.

    Returns:
        Lower and upper end, in nats or squared score units; infinite if n = 1 and `total` > 1.

    Raises:
        DataError: There are no examples, a label is missing, or a logit is not finite.

    Examples:
        >>> labels, logits = np.array([0.0, 0.0]), np.array([[1.0], [3.0]])
        >>> risk_interval(labels, logits, total=2)
        (5.0, 5.0)
    """
    losses = _losses(labels, logits)
    count, mean = len(losses), float(losses.mean())
    correction = 1 - count / total
    if correction <= 0:
        return mean, mean
    if count == 1:
        return -math.inf, math.inf
    standard_error = float(losses.std(ddof=1)) * math.sqrt(correction / count)
    half_width = float(student_t.ppf(0.975, count - 1)) * standard_error
    return mean - half_width, mean + half_width


def risks(
    *,
    train_labels: Num[np.ndarray, "n *labels"],
    train_logits: Float[np.ndarray, "n v"],
    dev_labels: Num[np.ndarray, "b *labels"],
    dev_logits: Float[np.ndarray, "b v"],
) -> dict[str, float]:
    """Risks on the training set and the dev set, and the generalization gap between them.

    Use the original training set, without augmented or mixed examples, so that methods can be compared. A
    sample of it is sufficient.

    Args:
        train_labels: Labels of the training examples.
        train_logits: The network's logits of the training examples, without dropout.
        dev_labels: Labels of the dev examples.
        dev_logits: The network's logits of the dev examples.

    Returns:
        `train_risk` and `dev_risk` (nats, or squared score units) and `generalisation_gap`, their difference,
        which may be negative. For classification also `train_error` and `dev_error`, the means of the 0/1
        loss, in [0, 1].

    Raises:
        DataError: There are no examples, a label is missing, or a logit is not finite.

    References:
        Liang et al., "MixKD", 2021, theorems on the generalization gap. Deviation: the theorems assume a
        bounded loss and the expected risk; this is the unbounded cross-entropy, and the mean over the dev set
        is an estimate of the expected risk.
    """
    train, dev = empirical_risk(train_labels, train_logits), empirical_risk(dev_labels, dev_logits)
    values = {"train_risk": train, "dev_risk": dev, "generalisation_gap": dev - train}
    if dev_logits.shape[1] == 1:
        return values
    errors = {
        "train_error": _error(train_labels, train_logits),
        "dev_error": _error(dev_labels, dev_logits),
    }
    return values | errors


def _error(labels: Num[np.ndarray, "b *labels"], logits: Float[np.ndarray, "b v"]) -> float:
    """Share of incorrect predictions, in [0, 1]; of several labels, of examples with any wrong one."""
    if labels.ndim == 2:
        return float(np.mean((predicted_labels(logits) != (labels > 0)).any(axis=1)))
    return float(np.mean(logits.argmax(axis=1) != labels))
