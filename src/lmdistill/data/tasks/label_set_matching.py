"""Matching of the labels of a multi-label task to the outputs of a model by their correlation."""

import logging
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from lmdistill.core.errors import MismatchError
from lmdistill.data.tasks.label_matching import ERRORS, EXAMPLES_PER_CLASS, MARGIN, order_text

log = logging.getLogger("lmdistill")


def best_output_order(
    logits: Float[np.ndarray, "b v"], labels: Int[np.ndarray, "b v"]
) -> tuple[tuple[int, ...], float, float]:
    """The order of the outputs with the highest correlation, and the correlations before and after it.

    It is the solution of a linear assignment problem on the correlations of each label with each output's
    probability, so it is exact for any number of labels. The present order is preferred among equals.

    Args:
        logits: One row an example.
        labels: Rows of 0 and 1.

    Returns:
        (order, mean correlation of `logits`, mean correlation of `logits[:, order]`), in [-1, 1]. It is 0 for
        a label that all examples have, or none.

    Examples:
        >>> logits, labels = np.array([[9.0, -9.0], [-9.0, 9.0]]), np.array([[0, 1], [1, 0]])
        >>> order, now, then = best_output_order(logits, labels)
        >>> order, round(now, 6), round(then, 6)
        ((1, 0), -1.0, 1.0)
    """
    given, found = _standardized(labels), _standardized(np.tanh(logits.astype(np.float64) / 2))
    correlation = given.T @ found
    size = len(correlation)
    _, order = linear_sum_assignment(correlation + 1e-9 * np.eye(size), maximize=True)
    best = float(correlation[np.arange(size), order].mean())
    return tuple(int(output) for output in order), float(np.trace(correlation) / size), best


def _standardized(values: Float[np.ndarray, "b v"] | Int[np.ndarray, "b v"]) -> Float[np.ndarray, "b v"]:
    """Columns with mean 0 and length 1; constant ones are 0."""
    centred = values - values.mean(axis=0, dtype=np.float64)
    length = np.sqrt(np.square(centred).sum(axis=0))
    is_constant = length <= 1e-9 * (1 + np.abs(values).max(axis=0))
    scaled: Float[np.ndarray, "b v"] = np.where(
        is_constant, 0.0, centred / np.where(is_constant, 1.0, length)
    )
    return scaled


def _is_much_better(size: int, num_labels: int, gain: float) -> bool:
    """Whether another order is right beyond doubt, see `require_output_order`."""
    noise = math.sqrt(2 * math.log(num_labels) / size)
    return size >= EXAMPLES_PER_CLASS * num_labels and gain > max(MARGIN, ERRORS * noise)


def output_order_alarm(
    logits: Float[np.ndarray, "b v"],
    labels: Int[np.ndarray, "b v"],
    task_labels: Sequence[str],
    *,
    model: str,
) -> str:
    """A sentence if the outputs of a model fit another order of the labels much better, else "".

    Args:
        logits: Logits on labelled examples, one row per example.
        labels: Rows of 0 and 1, in the order of the task.
        task_labels: Label names in the order of the task.
        model: Name of the model in the sentence.
    """
    order, here, best = best_output_order(logits, labels)
    if not _is_much_better(len(labels), len(task_labels), best - here):
        return ""
    return (
        f"{model} fits another order of the labels much better: mean correlation {here:.3f} as they are, "
        f"{best:.3f} as {order_text(task_labels, order)}. Check which label is which in the data "
        "and in id2label of the model's config.json."
    )


def require_output_order(
    logits: Float[np.ndarray, "b v"],
    labels: Int[np.ndarray, "b v"],
    task_labels: Sequence[str],
    *,
    model: str = "the teacher",
) -> float:
    """Check that the outputs of a model without label names are in the order of the task's labels.

    The order is wrong if the best one has a mean correlation of labels and probabilities that is higher by
    more than 0.2 and by more than twice what the best of v random outputs reaches by chance on b examples,
    sqrt(2 log(v) / b). With fewer than five examples for each label the check never fails.

    Args:
        logits: Logits on labelled examples, one row per example.
        labels: Rows of 0 and 1, in the order of the task.
        task_labels: Label names in the order of the task.
        model: Name of the model in the error message.

    Returns:
        The mean correlation in the present order, in [-1, 1].

    Raises:
        MismatchError: Another order fits much better; the message has both correlations and the order.
    """
    order, here, best = best_output_order(logits, labels)
    if _is_much_better(len(labels), len(task_labels), best - here):
        raise MismatchError(
            f"{model} has no label names, and its outputs fit another order much better: mean correlation "
            f"{here:.3f} as they are, {best:.3f} as {order_text(task_labels, order)}. Put these "
            "names into id2label of its config.json, in this order."
        )
    return here
