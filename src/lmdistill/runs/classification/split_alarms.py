"""What is wrong with a network on one split, and its scores by class, from labels and logits alone."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict

import numpy as np
from jaxtyping import Float, Num

from lmdistill.data.tasks.label_matching import label_order_alarm
from lmdistill.data.tasks.label_set_matching import output_order_alarm
from lmdistill.data.tasks.task_spec import Kind, TaskSpec
from lmdistill.evaluation.classification import score_by_class
from lmdistill.evaluation.multi_label import Thresholds, predicts_nothing
from lmdistill.evaluation.task_quality import is_task_at_chance
from lmdistill.records.class_facts import ClassFacts

MOST_NAMES = 5
"""Largest number of classes that an alarm names."""

CONSTANT: Mapping[Kind, str] = {
    "classification": "the majority class",
    "multilabel": "labels drawn at random",
    "regression": "a constant score",
}
"""What a network that has learned nothing is compared with, by the kind of task."""


def alarms_of(
    who: str,
    split: str,
    spec: TaskSpec,
    labels: Num[np.ndarray, "n *labels"],
    logits: Float[np.ndarray, "n v"],
    thresholds: Thresholds = None,
) -> Iterator[str]:
    """Sentences if labels look swapped, a network is no better than a constant, or never says a class.

    Args:
        who: The network in the sentences, which begin with it, such as "the student".
        split: Name of the split.
        spec: The task.
        labels: Class numbers, scores, or rows of 0 and 1.
        logits: Of the network.
        thresholds: Of several labels a text; None is 0.5 for all.
    """
    swapped = ""
    if spec.kind != "regression":
        alarm = output_order_alarm if spec.kind == "multilabel" else label_order_alarm
        swapped = alarm(logits, labels, spec.labels, model=f"{who} on {split}")
    if swapped:
        yield swapped
    elif is_task_at_chance(spec.metrics, labels, logits, thresholds):
        yield _nothing_learned(who, split, spec, logits, thresholds)
    elif spec.kind == "classification":
        yield from class_alarms(who, split, spec, labels, logits)


def _nothing_learned(
    who: str, split: str, spec: TaskSpec, logits: Float[np.ndarray, "n v"], thresholds: Thresholds
) -> str:
    """A sentence about a network that is no better than a constant prediction."""
    if spec.kind == "multilabel" and predicts_nothing(logits, thresholds):
        return (
            f"{who} predicts no label for any text of {split}: it has learned nothing of use at these "
            "thresholds. Set student.threshold to dev, or train it longer or at another learning rate."
        )
    return (
        f"{who} is at or below {CONSTANT[spec.kind]} on {split}: it has learned nothing of use. "
        "Train it longer, on more examples, or at another learning rate."
    )


def facts_of(
    spec: TaskSpec, labels: Num[np.ndarray, " n"], logits: Float[np.ndarray, "n v"]
) -> tuple[ClassFacts, ...]:
    """The scores of each class of a task on one split.

    Raises:
        DataError: There are no examples, a label is missing, or a logit is not finite.
    """
    scores = zip(spec.labels, score_by_class(labels, logits), strict=True)
    return tuple(ClassFacts(label=label, **asdict(one)) for label, one in scores)


def class_alarms(
    who: str, split: str, spec: TaskSpec, labels: Num[np.ndarray, " n"], logits: Float[np.ndarray, "n v"]
) -> Iterator[str]:
    """A sentence if a network never predicts a class that has examples.

    Args:
        who: The network in the sentence, which begins with it.
        split: Name of the split.
        spec: The task, which has classes.
        labels: Class numbers.
        logits: Of the network.
    """
    missed = [one for one in facts_of(spec, labels, logits) if one.support and not one.predicted]
    if missed:
        names = ", ".join(f"{one.label} ({one.support} examples)" for one in missed[:MOST_NAMES])
        more = f" and {len(missed) - MOST_NAMES} more" if len(missed) > MOST_NAMES else ""
        yield (
            f"{who} never predicts {names}{more} on {split}. Train it longer, on more of their examples, or "
            "with training.class_weights; macro_f1 in data.metrics counts each class the same."
        )
