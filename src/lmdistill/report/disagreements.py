"""The examples that student and teacher answer most differently, and their texts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lmdistill.core.storage import atomic_file
from lmdistill.report.history import encode_line, read_lines
from lmdistill.report.predictions import PREDICTIONS, Prediction, read_predictions
from lmdistill.report.record import RunFolder

DISAGREEMENTS = "disagreements.jsonl"
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
    """The right class."""

    student: str
    """The student's answer, with its probability in percent."""

    teacher: str
    """The teacher's."""


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


def shortened(text: str) -> str:
    """The beginning of a long text."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def write_disagreements(path: Path, texts: Iterable[Text]) -> None:
    """Write one line an example, the whole file or nothing."""
    with atomic_file(path) as part, part.open("w", encoding="utf-8") as file:
        file.writelines(encode_line(vars(text)) for text in texts)


def _texts(path: Path) -> dict[tuple[str, int], tuple[str, ...]]:
    """What was kept, by split and number."""
    lines = read_lines(path) if path.exists() else []
    return {(line["split"], int(line["example"])): tuple(line["texts"]) for line in lines}


def quotes(run: RunFolder) -> tuple[Quote, ...]:
    """The most instructive disagreements on the headline split, with texts where the run has kept them."""
    labels, split = run.record.task.labels, run.record.headline[0]
    if run.record.task.kind != "classification":
        return ()
    texts = _texts(run.path / DISAGREEMENTS)

    def answer(logits: Sequence[float]) -> str:
        """The class, and how sure the network is."""
        sure = np.exp(_log_probs(logits))
        return f"{labels[int(sure.argmax())]} ({100 * sure.max():.0f} %)"

    found = [one for one in read_predictions(run.path / PREDICTIONS) if one.split == split]
    return tuple(
        Quote(
            title=f"{split}, example {one.example}",
            texts=texts.get((split, one.example), ()),
            label=labels[int(one.label)],
            student=answer(one.student),
            teacher=answer(one.teacher or ()),
        )
        for one in instructive(found)
    )
