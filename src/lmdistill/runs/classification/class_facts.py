"""Precision, recall and F1 of each class for the record, and an alarm about those never predicted."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict

import numpy as np
from jaxtyping import Float, Num

from lmdistill.data.tasks.task_spec import TaskSpec
from lmdistill.evaluation.classification import score_by_class
from lmdistill.records.class_facts import ClassFacts
from lmdistill.runs.classification.dataset import EncodedTask

MOST_NAMES = 5
"""Largest number of classes that an alarm names."""


def class_facts(
    data: EncodedTask, logits: Mapping[str, Float[np.ndarray, "n v"]]
) -> dict[str, tuple[ClassFacts, ...]]:
    """The scores of each class by split; {} for a regression."""
    if data.task.spec.kind != "classification":
        return {}
    return {name: facts_of(data.task.spec, data.dev[name].labels, one) for name, one in logits.items()}


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
