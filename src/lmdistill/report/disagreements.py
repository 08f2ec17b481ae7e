"""The examples that student and teacher answer most differently, and their texts."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lmdistill.core.storage import atomic_file
from lmdistill.report.history import encode_line, read_items
from lmdistill.report.predictions import PREDICTIONS, Prediction, read_predictions
from lmdistill.report.record import RunFolder

DISAGREEMENTS = "disagreements.jsonl"

Texts = Mapping[tuple[str, int], tuple[str, ...]]
"""What was kept of texts, by split and number."""

NUM_QUOTES = 20
"""Texts that a run keeps, at most."""

LONGEST = 400
"""Characters of a text that are kept."""


@dataclass(frozen=True, kw_only=True)
class Text:
    """What an example says."""

    example: int
    """Number of the example in its split."""

    split: str
    """Name of the split."""

    texts: tuple[str, ...]
    """One or two."""


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

    run: RunFolder
    """Whose they are."""

    order: str
    """What they are ordered by, in words."""

    found: tuple[Quote, ...]
    """The most instructive first, >= 1."""


def _log_probs(logits: Sequence[float]) -> np.ndarray:
    """Logarithms of the probabilities."""
    values = np.asarray(logits, dtype=float)
    values = values - values.max()
    return np.asarray(values - np.log(np.exp(values).sum()))


def _gap(one: Prediction) -> float:
    """How many nats the student's loss lies from the teacher's."""
    assert one.teacher is not None
    label = int(one.label)
    return abs(float(_log_probs(one.student)[label] - _log_probs(one.teacher)[label]))


def _differs(one: Prediction) -> bool:
    """Whether both chose, and chose differently."""
    if one.teacher is None or len(one.student) < 2 or len(one.student) != len(one.teacher):
        return False
    known = np.isfinite(one.student).all() and np.isfinite(one.teacher).all()
    return bool(known and np.argmax(one.student) != np.argmax(one.teacher))


def instructive(predictions: Iterable[Prediction], count: int = NUM_QUOTES) -> list[Prediction]:
    """The examples on which student and teacher chose different classes and differ most in their loss.

    Args:
        predictions: Of classes; others disagree on nothing.
        count: How many, at most.
    """
    return sorted(filter(_differs, predictions), key=_gap, reverse=True)[:count]


def _nats(one: Prediction, of_teacher: bool) -> float:
    """Nats a token of a text; NaN where they are not known."""
    sums = one.teacher if of_teacher else one.student
    return sums[0] / float(one.label) if sums and one.label else math.nan


def _distance(one: Prediction) -> float:
    """How many nats a token lie between student and teacher."""
    return abs(_nats(one, False) - _nats(one, True))


def most_unlike(predictions: Iterable[Prediction], count: int = NUM_QUOTES) -> list[Prediction]:
    """The texts whose likelihood a token differs most between student and teacher, as language models.

    Args:
        predictions: Of language models; those without a teacher are left out.
        count: How many, at most.
    """
    differing = [one for one in predictions if _distance(one) > 0]
    return sorted(differing, key=_distance, reverse=True)[:count]


def shortened(text: str) -> str:
    """The beginning of a long text."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def write_disagreements(path: Path, texts: Iterable[Text]) -> None:
    """Write one line an example, the whole file or nothing."""
    with atomic_file(path) as part, part.open("w", encoding="utf-8") as file:
        file.writelines(encode_line(vars(text)) for text in texts)


def _texts(path: Path) -> Texts:
    """What was kept, by split and number."""
    return dict(
        read_items(path, lambda line: ((line["split"], int(line["example"])), tuple(map(str, line["texts"]))))
    )


def quotes(run: RunFolder) -> Quotes | None:
    """The most instructive disagreements on the headline split, with texts where the run has kept them.

    Returns:
        None where student and teacher disagree on nothing, or where it is not known.
    """
    kind, split = run.record.task.kind, run.record.headline[0]
    if kind == "regression":
        return None
    answers = [one for one in read_predictions(run.path / PREDICTIONS) if one.split == split]
    texts = _texts(run.path / DISAGREEMENTS)
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
        sure = np.exp(_log_probs(logits))
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
    student, teacher = (f"{_nats(one, side):.3f} nats a token" for side in (False, True))
    count = int(one.label)
    return Quote(
        title=_title(one),
        texts=texts.get((one.split, one.example), ()),
        label=f"{count:,} token{'' if count == 1 else 's'} to write",
        student=student,
        teacher=teacher,
    )
