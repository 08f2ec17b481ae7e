"""`disagreements.jsonl`: texts on which student and teacher disagree most."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lmdistill.core.atomic_io import atomic_file
from lmdistill.metrics.multi_label import label_losses, predicted_labels
from lmdistill.metrics.probabilities import log_softmax
from lmdistill.records.jsonl import encode_line, read_items
from lmdistill.records.label_thresholds import LabelThresholds
from lmdistill.records.predictions import Prediction

DISAGREEMENTS = "disagreements.jsonl"


Texts = Mapping[tuple[str, int], tuple[str, ...]]
"""Shortened texts by split and example number."""


NUM_QUOTES = 20
"""Number of texts that a run keeps, at most."""


LONGEST = 400
"""Length of a shortened text in characters."""


@dataclass(frozen=True, kw_only=True)
class Text:
    """The text or texts of one example."""

    example: int
    """Number of the example in its split."""

    split: str
    """Name of the split."""

    texts: tuple[str, ...]
    """One text, or the two of a pair."""


def _gap(one: Prediction) -> float:
    """Absolute difference of the losses of student and teacher, in nats."""
    assert one.teacher is not None
    if one.labels is not None:
        losses = label_losses(np.tile(one.label_row(), (2, 1)), np.array([one.student, one.teacher]))
        return abs(float(losses[0] - losses[1]))
    ours, theirs = (log_softmax(np.array(logits, dtype=float)) for logits in (one.student, one.teacher))
    return abs(float(ours[int(one.label)] - theirs[int(one.label)]))


def _differs(one: Prediction, thresholds: LabelThresholds | None) -> bool:
    """Whether both networks predict a class or labels, and different ones."""
    if one.teacher is None or len(one.student) < 2 or len(one.student) != len(one.teacher):
        return False
    known = np.isfinite(one.student).all() and np.isfinite(one.teacher).all()
    if known and one.labels is not None:
        ours, theirs = (None, None) if thresholds is None else (thresholds.student, thresholds.teacher)
        student = predicted_labels(np.array([one.student]), ours)
        return bool((student != predicted_labels(np.array([one.teacher]), theirs)).any())
    return bool(known and np.argmax(one.student) != np.argmax(one.teacher))


def instructive(
    predictions: Iterable[Prediction], count: int = NUM_QUOTES, thresholds: LabelThresholds | None = None
) -> list[Prediction]:
    """The examples with different predicted classes whose losses differ most between student and teacher.

    Args:
        predictions: Predictions of classes or of several labels; others are left out.
        count: Number of examples, at most.
        thresholds: Of several labels; None is 0.5 for all.
    """
    unlike = (one for one in predictions if _differs(one, thresholds))
    return sorted(unlike, key=_gap, reverse=True)[:count]


def nats_a_token(one: Prediction, of_teacher: bool) -> float:
    """Mean negative log-likelihood of a text's tokens in nats, by student or teacher; NaN if unknown."""
    sums = one.teacher if of_teacher else one.student
    return sums[0] / float(one.label) if sums and one.label else math.nan


def _distance(one: Prediction) -> float:
    """Absolute difference between student and teacher in nats a token."""
    return abs(nats_a_token(one, False) - nats_a_token(one, True))


def most_unlike(predictions: Iterable[Prediction], count: int = NUM_QUOTES) -> list[Prediction]:
    """The texts whose mean token likelihood differs most between student and teacher.

    Args:
        predictions: Predictions of language models; those without a teacher are left out.
        count: Number of texts, at most.
    """
    differing = [one for one in predictions if _distance(one) > 0]
    return sorted(differing, key=_distance, reverse=True)[:count]


def shortened(text: str) -> str:
    """The text, or the beginning of a long one."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def write_disagreements(path: Path, texts: Iterable[Text]) -> None:
    """Write one line for each example; the file is written completely or not at all."""
    with atomic_file(path) as part, part.open("w", encoding="utf-8") as file:
        file.writelines(encode_line(vars(text)) for text in texts)


def read_texts(path: Path) -> Texts:
    """The texts of `disagreements.jsonl`; empty if there is no such file."""
    return dict(
        read_items(path, lambda line: ((line["split"], int(line["example"])), tuple(map(str, line["texts"]))))
    )
