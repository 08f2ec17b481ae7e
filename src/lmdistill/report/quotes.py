"""The examples on which the predictions of student and teacher differ most, with their texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lmdistill.metrics.multi_label import predicted_labels, sigmoid
from lmdistill.metrics.probabilities import softmax
from lmdistill.records.disagreements import (
    DISAGREEMENTS,
    Texts,
    instructive,
    most_unlike,
    nats_a_token,
    read_texts,
)
from lmdistill.records.predictions import PREDICTIONS, Prediction, read_predictions
from lmdistill.records.record import Record, RecordedRun

NO_LABELS = "none of the labels"
"""What stands for an empty list of labels."""


@dataclass(frozen=True, kw_only=True)
class Quote:
    """One example on which student and teacher disagree, as text."""

    title: str
    """Split and number of the example."""

    texts: tuple[str, ...]
    """The texts of the example; empty if they were not stored."""

    label: str
    """The gold class or labels, or the number of scored tokens."""

    student: str
    """The student's class or labels with probabilities in percent, or the student's nats per token."""

    teacher: str
    """The teacher's class or labels with probabilities in percent, or the teacher's nats per token."""


@dataclass(frozen=True, kw_only=True)
class Quotes:
    """The disagreements of one run."""

    run: RecordedRun
    """The run whose student and teacher disagree."""

    order: str
    """The criterion that the examples are sorted by, in words."""

    found: tuple[Quote, ...]
    """The examples, the largest disagreement first, at least one."""


def quotes(run: RecordedRun) -> Quotes | None:
    """The largest disagreements of a run on the headline split, with texts if the run stored them.

    Returns:
        None for regression, without disagreements or without stored predictions of both networks.
    """
    kind, split = run.record.task.kind, run.record.headline[0]
    if kind == "regression":
        return None
    predictions = [one for one in read_predictions(run.path / PREDICTIONS) if one.split == split]
    texts = read_texts(run.path / DISAGREEMENTS)
    if kind == "language":
        order = "sorted by the difference of their nats per token"
        examples = tuple(_of_text(one, texts) for one in most_unlike(predictions))
    else:
        order = "sorted by the difference of their losses; predicted probabilities in brackets"
        chosen = instructive(predictions, thresholds=run.record.thresholds)
        of_one = _of_labels if run.record.task.multi_label else _of_class
        examples = tuple(of_one(one, texts, run.record) for one in chosen)
    return Quotes(run=run, order=order, found=examples) if examples else None


def _title(one: Prediction) -> str:
    """Split and number of an example."""
    return f"{one.split}, example {one.example}"


def _of_labels(one: Prediction, texts: Texts, record: Record) -> Quote:
    """An example with several labels: its own, and the predicted ones with their probabilities."""
    labels, chosen = record.task.labels, record.thresholds

    def predicted(logits: Sequence[float], thresholds: Sequence[float] | None) -> str:
        values = np.array([logits], dtype=float)
        (found,), (probabilities,) = predicted_labels(values, thresholds), sigmoid(values)
        told = [f"{labels[at]} ({100 * probabilities[at]:.0f} %)" for at in np.flatnonzero(found)]
        return ", ".join(told) or NO_LABELS

    return Quote(
        title=_title(one),
        texts=texts.get((one.split, one.example), ()),
        label=", ".join(labels[at] for at in one.labels or ()) or NO_LABELS,
        student=predicted(one.student, None if chosen is None else chosen.student),
        teacher=predicted(one.teacher or (), None if chosen is None else chosen.teacher),
    )


def _of_class(one: Prediction, texts: Texts, record: Record) -> Quote:
    """An example of a classifier: gold class, and predicted classes with their probabilities."""
    labels = record.task.labels

    def predicted(logits: Sequence[float]) -> str:
        probabilities = softmax(np.array(logits, dtype=float))
        return f"{labels[int(probabilities.argmax())]} ({100 * probabilities.max():.0f} %)"

    return Quote(
        title=_title(one),
        texts=texts.get((one.split, one.example), ()),
        label=labels[int(one.label)],
        student=predicted(one.student),
        teacher=predicted(one.teacher or ()),
    )


def _of_text(one: Prediction, texts: Texts) -> Quote:
    """An example of a language model: nats per token of both networks."""
    student, teacher = (f"{nats_a_token(one, side):.3f} nats per token" for side in (False, True))
    count = int(one.label)
    return Quote(
        title=_title(one),
        texts=texts.get((one.split, one.example), ()),
        label=f"{count:,} scored token{'' if count == 1 else 's'}",
        student=student,
        teacher=teacher,
    )
