"""What student and teacher answered to each dev example: the file that paired tests read."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lmdistill.core.storage import atomic_file
from lmdistill.report.history import encode_line, read_lines

PREDICTIONS = "predictions.jsonl"


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The answers to one example."""

    example: int
    """Number of the example in its split."""

    split: str
    """Name of the split."""

    label: float | int
    """Class number, or score."""

    student: tuple[float, ...]
    """Logits of the student."""

    teacher: tuple[float, ...] | None = None
    """Logits of the teacher."""

    tokens: int | None = None
    """Length of the example as the student reads it; None in older runs, and for language models."""


def write_predictions(path: Path, predictions: Iterable[Prediction]) -> None:
    """Write one line an example, the whole file or nothing."""
    with atomic_file(path) as part, part.open("w", encoding="utf-8") as file:
        file.writelines(encode_line(vars(prediction)) for prediction in predictions)


def _prediction(line: dict[str, Any]) -> Prediction:
    """One line of the file as an object; a logit that was no number reads as NaN."""
    teacher = line.get("teacher")
    return Prediction(
        example=int(line["example"]),
        split=str(line["split"]),
        label=float(line["label"]),
        student=tuple(np.nan if value is None else float(value) for value in line["student"]),
        teacher=None if teacher is None else tuple(np.nan if x is None else float(x) for x in teacher),
        tokens=line.get("tokens"),
    )


def read_predictions(path: Path) -> list[Prediction]:
    """What `write_predictions` wrote; nothing if there is no file."""
    return [_prediction(line) for line in read_lines(path)] if path.exists() else []
