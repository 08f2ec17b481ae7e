"""Empirical risk on what was trained on and on what was not: the gap that MixKD's theorems bound."""

import math

import numpy as np
from jaxtyping import Float, Num
from scipy.stats import t as student_t

from lmdistill.evaluation.classification import check_labelled
from lmdistill.metrics.probabilities import log_softmax


def empirical_risk(labels: Num[np.ndarray, " b"], logits: Float[np.ndarray, "b v"]) -> float:
    """Mean loss over examples: cross-entropy in nats, or the squared error where v = 1.

    Args:
        labels: Class numbers in [0, v), or scores when v = 1.
        logits: One row an example, in the order of the labels.

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


def _losses(labels: Num[np.ndarray, " b"], logits: Float[np.ndarray, "b v"]) -> Float[np.ndarray, " b"]:
    """The loss of each example in float64."""
    check_labelled(labels, logits)
    if logits.shape[1] == 1:
        squares: Float[np.ndarray, " b"] = np.square(logits[:, 0].astype(np.float64) - labels)
        return squares
    log_probs = log_softmax(logits)
    losses: Float[np.ndarray, " b"] = -log_probs[np.arange(len(labels)), labels]
    return losses


def risk_interval(
    labels: Num[np.ndarray, " n"], logits: Float[np.ndarray, "n v"], *, total: int
) -> tuple[float, float]:
    """95 % interval of the mean loss over `total` examples, of which these are a random sample.

    Student's t interval with the finite-population correction: a sample of all examples has no width.

    Args:
        labels: Class numbers in [0, v), or scores when v = 1.
        logits: One row an example, in the order of the labels.
        total: Number of examples the sample was drawn from, >= n.

    Returns:
        Lower and upper end, in nats or squared score points; infinitely wide for one of several examples.

    Examples:
        >>> labels, logits = np.array([0.0, 0.0]), np.array([[1.0], [3.0]])
        >>> risk_interval(labels, logits, total=2)
        (5.0, 5.0)
    """
    losses = _losses(labels, logits)
    count, mean = len(losses), float(losses.mean())
    unseen = 1 - count / total
    if unseen <= 0:
        return mean, mean
    if count == 1:
        return -math.inf, math.inf
    error = float(losses.std(ddof=1)) * math.sqrt(unseen / count)
    width = float(student_t.ppf(0.975, count - 1)) * error
    return mean - width, mean + width


def risks(
    *,
    train_labels: Num[np.ndarray, " n"],
    train_logits: Float[np.ndarray, "n v"],
    dev_labels: Num[np.ndarray, " b"],
    dev_logits: Float[np.ndarray, "b v"],
) -> dict[str, float]:
    """Risk on the training set, on the dev set, and the second minus the first.

    The training set should be the original one, without augmented or mixed examples, so that
    methods can be compared; a sample of it will do.

    Args:
        train_labels: Labels of training examples.
        train_logits: The network's logits for them, without dropout.
        dev_labels: Labels of dev examples.
        dev_logits: The network's logits for them.

    Returns:
        `train_risk`, `dev_risk` (nats, or squared score points) and `generalisation_gap`, which may be
        negative; of classes also `train_error` and `dev_error`, the means of the bounded 0/1 loss.

    Raises:
        DataError: There are no examples, a label is missing, or a logit is not finite.

    References:
        Liang et al., "MixKD", 2021, its theorems on the gap. Deviation: they speak of a bounded loss and
        the expected risk; this is the unbounded cross-entropy, and the dev set stands for the expectation.
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


def _error(labels: Num[np.ndarray, " b"], logits: Float[np.ndarray, "b v"]) -> float:
    """Share of examples whose largest logit is not that of their label."""
    return float(np.mean(logits.argmax(axis=1) != labels))
