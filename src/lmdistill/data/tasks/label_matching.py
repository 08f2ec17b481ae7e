"""Matching of the labels of a task to the outputs of a model, by name or, without names, by accuracy."""

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
"""Gain in accuracy, in [0, 1], above which another order of the outputs is an error."""

ERRORS = 2.0
"""Standard errors that the gain must exceed as well."""

EXAMPLES_PER_CLASS = 5
"""Number of examples for each class that an alarm about the order needs."""


def normalized_name(label: str) -> str:
    """The form of a label by which labels of data and of models are matched.

    Case, spaces, hyphens and underscores between letters or digits do not count, nor do zeros behind a
    decimal point. Signs count: "-1" is not "1", and the grade "A-" is not "A".

    Examples:
        >>> normalized_name("Not_Entailment") == normalized_name("not entailment")
        True
        >>> normalized_name("1.0"), normalized_name("-1"), normalized_name("007")
        ('1', '-1', '007')
    """
    text = label.strip()
    number = re.fullmatch(r"\+?(-?\d+)(?:\.(\d*?)0*)?", text)
    if number:
        whole, decimals = number.groups()
        value = f"{whole}.{decimals}" if decimals else whole
        return "0" if value == "-0" else value
    return re.sub(r"(?<=[^\W_])(?:[\s_]+|-+)(?=[^\W_])", "", text.strip("_")).casefold()


def are_generic(model_labels: Sequence[str]) -> bool:
    """Whether a model has no meaningful label names: none, LABEL_0, LABEL_1 ... or plain numbers.

    Examples:
        >>> are_generic(["LABEL_0", "LABEL_1"]), are_generic(["0", "1"]), are_generic(["bad", "good"])
        (True, True, False)
    """
    return all(re.fullmatch(r"(label)?\d+", normalized_name(label)) for label in model_labels)


def match_labels(task_labels: Sequence[str], model_labels: Sequence[str]) -> tuple[int, ...]:
    """For each label of the task, the number of the model output that has the same name.

    Names are compared as `normalized_name` writes them.

    Args:
        task_labels: Label names of the task, in order.
        model_labels: Names of the model's outputs, in order.

    Returns:
        Output numbers in the order of the task: `logits[:, order]` has the columns in the task's order.

    Raises:
        MismatchError: The two sets of names differ; the message has both lists.

    Examples:
        >>> match_labels(["entailment", "not_entailment"], ["Not Entailment", "ENTAILMENT"])
        (1, 0)
    """
    task_names, model_names = (
        [normalized_name(name) for name in task_labels],
        [normalized_name(name) for name in model_labels],
    )
    if sorted(task_names) != sorted(model_names) or len(set(task_names)) != len(task_names):
        raise MismatchError(
            f"the labels of the task ({', '.join(task_labels)}) and of the model "
            f"({', '.join(model_labels) or 'none'}) differ. Use a model for this task, or rename one side "
            "(id2label in the model's config.json, or data.labels)."
        )
    return tuple(model_names.index(name) for name in task_names)


def best_label_order(
    logits: Float[np.ndarray, "b v"], labels: Int[np.ndarray, " b"]
) -> tuple[tuple[int, ...], float, float]:
    """The order of the outputs with the highest accuracy, and the accuracies before and after reordering.

    It is the solution of a linear assignment problem on the confusion matrix, so it is exact for any number
    of classes. If several orders are equally good, the present one is preferred.

    Args:
        logits: Logits, one row per example.
        labels: Class numbers in [0, v), at least one.

    Returns:
        (order, accuracy of `logits`, accuracy of `logits[:, order]`), accuracies in [0, 1].

    Examples:
        >>> best_label_order(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0, 1]))
        ((1, 0), 0.0, 1.0)
    """
    num_classes = logits.shape[1]
    confusion = np.zeros((num_classes, num_classes))
    np.add.at(confusion, (labels, logits.argmax(axis=1)), 1.0)
    # half an example spread over the diagonal breaks ties in favour of the present order
    _, order = linear_sum_assignment(confusion + np.eye(num_classes) / (2 * num_classes), maximize=True)
    best_accuracy = float(confusion[np.arange(num_classes), order].sum() / len(labels))
    return tuple(int(output) for output in order), float(np.trace(confusion) / len(labels)), best_accuracy


def are_same_names(task_labels: Sequence[str], model_labels: Sequence[str]) -> bool:
    """Whether the outputs of a model have the names of the labels, in any order.

    Examples:
        >>> are_same_names(["1", "2"], ["2.0", "1.0"]), are_same_names(["a", "b"], ["LABEL_0", "LABEL_1"])
        (True, False)
    """
    names = sorted(normalized_name(label) for label in task_labels)
    return names == sorted(normalized_name(label) for label in model_labels)


def label_order_alarm(
    logits: Float[np.ndarray, "b v"], labels: Int[np.ndarray, " b"], task_labels: Sequence[str], *, model: str
) -> str:
    """A sentence if the outputs of a model fit another order of the labels much better, else "".

    Args:
        logits: Logits on labelled examples, one row per example.
        labels: Class numbers in [0, v), at least one, in the order of the task.
        task_labels: Label names in the order of the task.
        model: Name of the model in the sentence.
    """
    order, accuracy, best_accuracy = best_label_order(logits, labels)
    is_enough = len(labels) >= EXAMPLES_PER_CLASS * len(task_labels)  # fewer fit some order by chance
    if not is_enough or not _is_much_better(labels, accuracy, best_accuracy):
        return ""
    return (
        f"{model} fits another order of the labels much better: accuracy {accuracy:.3f} as they are, "
        f"{best_accuracy:.3f} as {order_text(task_labels, order)}. Check which label is which in "
        "the data (data.labels) and in id2label of the model's config.json."
    )


def _is_much_better(labels: Int[np.ndarray, " b"], accuracy: float, best_accuracy: float) -> bool:
    """Whether another order is right beyond doubt, see `require_label_order`."""
    majority = np.bincount(labels).max() / len(labels)
    least_gain = max(MARGIN, ERRORS / math.sqrt(len(labels)))
    return bool(best_accuracy > majority and best_accuracy - accuracy > least_gain)


def order_text(task_labels: Sequence[str], order: Sequence[int]) -> str:
    """The label that each output should have, in the order of the outputs."""
    return ", ".join(task_labels[order.index(output)] for output in range(len(order)))


def require_label_order(
    logits: Float[np.ndarray, "b v"],
    labels: Int[np.ndarray, " b"],
    task_labels: Sequence[str],
    *,
    model: str = "the teacher",
) -> float:
    """Check that the outputs of a model without label names are in the order of the task's labels.

    The order is wrong if the accuracy of the best order is above the share of the majority class (otherwise
    the model is at chance in any order) and exceeds the present accuracy by more than 0.2 and by more than
    two standard errors of the difference. The standard error is bounded from above: each example changes the
    count of correct answers by -1, 0 or 1, so on b examples it is at most 1 / sqrt(b). With four examples or
    fewer the check never fails.

    Args:
        logits: Logits on labelled examples, one row per example.
        labels: Class numbers in [0, v), at least one, in the order of the task.
        task_labels: Label names in the order of the task.
        model: Name of the model in the error message.

    Returns:
        The accuracy in the present order, in [0, 1].

    Raises:
        MismatchError: The number of outputs is wrong, or another order fits much better; the message has
            both accuracies and the order.
    """
    if logits.shape[1] != len(task_labels):
        raise MismatchError(
            f"{model} has {logits.shape[1]} outputs and the task {len(task_labels)} labels "
            f"({', '.join(task_labels)}). Use a model for this task."
        )
    order, accuracy, best_accuracy = best_label_order(logits, labels)
    if _is_much_better(labels, accuracy, best_accuracy):
        raise MismatchError(
            f"{model} has no label names, and its outputs fit another order much better: accuracy "
            f"{accuracy:.3f} as they are, {best_accuracy:.3f} as "
            f"{order_text(task_labels, order)}. Put these names into id2label of its "
            "config.json, in this order."
        )
    if best_accuracy > accuracy:
        log.info(
            "%s: outputs taken in the order of the task, accuracy %.3f (best order %.3f)",
            model,
            accuracy,
            best_accuracy,
        )
    return accuracy
