"""`disagreements.jsonl`: texts on which student and teacher disagree most."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lmdistill.core.atomic_io import atomic_file
from lmdistill.metrics.probabilities import log_softmax
from lmdistill.records.jsonl import encode_line, read_items
from lmdistill.records.predictions import Prediction

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


def _gap(one: Prediction) -> float:
    """How many nats the student's loss lies from the teacher's."""
    assert one.teacher is not None
    ours, theirs = (log_softmax(np.array(logits, dtype=float)) for logits in (one.student, one.teacher))
    return abs(float(ours[int(one.label)] - theirs[int(one.label)]))


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


def nats_a_token(one: Prediction, of_teacher: bool) -> float:
    """Nats a token of a text, by the student or by its teacher; NaN where they are not known."""
    sums = one.teacher if of_teacher else one.student
    return sums[0] / float(one.label) if sums and one.label else math.nan


def _distance(one: Prediction) -> float:
    """How many nats a token lie between student and teacher."""
    return abs(nats_a_token(one, False) - nats_a_token(one, True))


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


def read_texts(path: Path) -> Texts:
    """The texts of `disagreements.jsonl`; none where there is no such file."""
    return dict(
        read_items(path, lambda line: ((line["split"], int(line["example"])), tuple(map(str, line["texts"]))))
    )
