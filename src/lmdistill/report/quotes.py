"""The examples that student and teacher answer most differently, and their texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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
from lmdistill.records.record import RecordedRun


@dataclass(frozen=True, kw_only=True)
class Quote:
    """A disagreement, as a page shows it."""

    title: str
    """Split and number of the example."""

    texts: tuple[str, ...]
    """What it says; nothing where that was not kept."""

    label: str
    """The right class, or how many tokens there were to write."""

    student: str
    """The student's answer, with its probability in percent; or its nats a token."""

    teacher: str
    """The teacher's."""


@dataclass(frozen=True, kw_only=True)
class Quotes:
    """The disagreements of one run, as a page shows them."""

    run: RecordedRun
    """Whose they are."""

    order: str
    """What they are ordered by, in words."""

    found: tuple[Quote, ...]
    """The most instructive first, >= 1."""


def quotes(run: RecordedRun) -> Quotes | None:
    """The most instructive disagreements on the headline split, with texts where the run has kept them.

    Returns:
        None where student and teacher disagree on nothing, or where it is not known.
    """
    kind, split = run.record.task.kind, run.record.headline[0]
    if kind == "regression":
        return None
    answers = [one for one in read_predictions(run.path / PREDICTIONS) if one.split == split]
    texts = read_texts(run.path / DISAGREEMENTS)
    if kind == "language":
        order = "by how far their nats a token lie apart"
        found = tuple(_of_text(one, texts) for one in most_unlike(answers))
    else:
        order = "by how far their losses lie apart; in brackets, how sure each was"
        found = tuple(_of_class(one, texts, run.record.task.labels) for one in instructive(answers))
    return Quotes(run=run, order=order, found=found) if found else None


def _title(one: Prediction) -> str:
    """Split and number."""
    return f"{one.split}, example {one.example}"


def _of_class(one: Prediction, texts: Texts, labels: Sequence[str]) -> Quote:
    """Two classes, and how sure the networks were."""

    def answer(logits: Sequence[float]) -> str:
        """The class, and how sure the network is."""
        sure = softmax(np.array(logits, dtype=float))
        return f"{labels[int(sure.argmax())]} ({100 * sure.max():.0f} %)"

    return Quote(
        title=_title(one),
        texts=texts.get((one.split, one.example), ()),
        label=labels[int(one.label)],
        student=answer(one.student),
        teacher=answer(one.teacher or ()),
    )


def _of_text(one: Prediction, texts: Texts) -> Quote:
    """Two likelihoods of one text."""
    student, teacher = (f"{nats_a_token(one, side):.3f} nats a token" for side in (False, True))
    count = int(one.label)
    return Quote(
        title=_title(one),
        texts=texts.get((one.split, one.example), ()),
        label=f"{count:,} token{'' if count == 1 else 's'} to write",
        student=student,
        teacher=teacher,
    )
