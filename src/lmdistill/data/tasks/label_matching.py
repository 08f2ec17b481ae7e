"""Labels: matched between data and a model by name, and by fit where the model has no names."""

import logging
import math
import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from lmdistill.core.errors import MismatchError

log = logging.getLogger("lmdistill")

MARGIN = 0.2
ERRORS = 2.0


def normalized_name(label: str) -> str:
    """A label name without case, spaces, hyphens and underscores.

    Examples:
        >>> normalized_name("Not_Entailment") == normalized_name("not entailment")
        True
    """
    return re.sub(r"[\s_-]+", "", label).casefold()


def are_generic(model_labels: Sequence[str]) -> bool:
    """Whether a model's label names say nothing: none at all, LABEL_0, LABEL_1 ... or plain numbers.

    Examples:
        >>> are_generic(["LABEL_0", "LABEL_1"]), are_generic(["0", "1"]), are_generic(["bad", "good"])
        (True, True, False)
    """
    return all(re.fullmatch(r"(label)?\d+", normalized_name(label)) for label in model_labels)


def match_labels(task_labels: Sequence[str], model_labels: Sequence[str]) -> tuple[int, ...]:
    """For each label of the task, the output of the model that has its name.

    Upper and lower case, spaces, hyphens and underscores do not count.

    Returns:
        Outputs in the order of the task: `logits[:, order]` has the task's columns.

    Raises:
        MismatchError: The names are not the same; the message has both lists.

    Examples:
        >>> match_labels(["entailment", "not_entailment"], ["Not Entailment", "ENTAILMENT"])
        (1, 0)
    """
    ours, theirs = (
        [normalized_name(name) for name in task_labels],
        [normalized_name(name) for name in model_labels],
    )
    if sorted(ours) != sorted(theirs) or len(set(ours)) != len(ours):
        raise MismatchError(
            f"the labels of the task ({', '.join(task_labels)}) and of the model "
            f"({', '.join(model_labels) or 'none'}) differ. Take a model for this task, or rename one side "
            "(id2label in the model's config.json, or labels= of the data)."
        )
    return tuple(theirs.index(name) for name in ours)


def best_label_order(
    logits: Float[np.ndarray, "b v"], labels: Int[np.ndarray, " b"]
) -> tuple[tuple[int, ...], float, float]:
    """The order of the outputs that fits the labels best, and the accuracies as they are and in that order.

    Solved as an assignment on the table of predictions against labels, so exact for any number of classes.
    When several orders fit equally well, the present one is kept if it is among them.

    Args:
        logits: Scores, one row an example.
        labels: Class numbers in [0, v), at least one.

    Returns:
        (order, accuracy of `logits`, accuracy of `logits[:, order]`), accuracies in [0, 1].

    Examples:
        >>> best_label_order(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0, 1]))
        ((1, 0), 0.0, 1.0)
    """
    num_classes = logits.shape[1]
    table = np.zeros((num_classes, num_classes))
    np.add.at(table, (labels, logits.argmax(axis=1)), 1.0)
    # half an example spread over the diagonal: never outweighs one, decides ties for the present order
    _, order = linear_sum_assignment(table + np.eye(num_classes) / (2 * num_classes), maximize=True)
    best = float(table[np.arange(num_classes), order].sum() / len(labels))
    return tuple(int(output) for output in order), float(np.trace(table) / len(labels)), best


def require_label_order(
    logits: Float[np.ndarray, "b v"],
    labels: Int[np.ndarray, " b"],
    task_labels: Sequence[str],
    *,
    model: str = "the teacher",
) -> float:
    """The accuracy of a model without label names; refused when another order fits much better.

    Much better means that the accuracy of the best order is above the share of the majority class (else the
    model knows nothing in any order), and above the accuracy as it is by more than 0.2 and by more than two
    standard errors of the difference, taken at their largest: an example changes by -1, 0 or 1, so one
    standard error on b examples is at most 1 / sqrt(b). Four examples never raise an alarm.

    Args:
        logits: Scores on labelled examples, one row an example.
        labels: Class numbers in [0, v), at least one, in the order of the task.
        task_labels: Names in the order of the task.
        model: What the message calls the model.

    Raises:
        MismatchError: Another order fits much better; the message has both accuracies and the order.
    """
    if logits.shape[1] != len(task_labels):
        raise MismatchError(
            f"{model} has {logits.shape[1]} outputs and the task {len(task_labels)} labels "
            f"({', '.join(task_labels)}). Take a model for this task."
        )
    order, as_is, best = best_label_order(logits, labels)
    gain, error = best - as_is, 1 / math.sqrt(len(labels))
    majority = np.bincount(labels).max() / len(labels)
    if best > majority and gain > max(MARGIN, ERRORS * error):
        names = [task_labels[order.index(output)] for output in range(len(order))]
        raise MismatchError(
            f"{model} has no label names, and its outputs fit another order much better: accuracy "
            f"{as_is:.3f} as they are, {best:.3f} as {', '.join(names)}. Put these names "
            "into id2label of its config.json, in this order."
        )
    if gain > 0:
        log.info(
            "%s: outputs taken in the order of the task, accuracy %.3f (best order %.3f)", model, as_is, best
        )
    return as_is
