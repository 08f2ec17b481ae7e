"""What student and teacher answered to each dev example: the file that paired tests read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lmdistill.core.storage import atomic_file
from lmdistill.report.history import encode_line, read_lines
from lmdistill.report.record import RunFolder
from lmdistill.report.statistics import RESAMPLED, mcnemar, paired_bootstrap

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
    )


def read_predictions(path: Path) -> list[Prediction]:
    """What `write_predictions` wrote; nothing if there is no file."""
    return [_prediction(line) for line in read_lines(path)] if path.exists() else []


def answers(predictions: Iterable[Prediction], split: str) -> tuple[dict[int, float], dict[int, np.ndarray]]:
    """Labels and student logits, (v,), of one split, by the number of the example."""
    chosen = [prediction for prediction in predictions if prediction.split == split]
    labels = {prediction.example: prediction.label for prediction in chosen}
    return labels, {prediction.example: np.asarray(prediction.student) for prediction in chosen}


def paired_test(ours: Sequence[RunFolder], theirs: Sequence[RunFolder]) -> float | None:
    """p-value of the difference on the headline split, over the seeds that both have.

    Classification: `statistics.mcnemar`, whatever the headline metric. Regression:
    `statistics.paired_bootstrap` of the headline metric.

    Returns:
        None without a common seed, without stored predictions, or if the examples are not the same.
    """
    record = ours[0].record
    split, metric = record.headline
    others = {run.record.seed: run for run in theirs}
    pairs = [(run, others[run.record.seed]) for run in ours if run.record.seed in others]
    sides = [
        [answers(read_predictions(run.path / PREDICTIONS), split) for run in side]
        for side in zip(*pairs, strict=True)
    ]
    if not pairs or not sides[0][0][0] or any(one[0] != sides[0][0][0] for side in sides for one in side):
        return None
    examples = list(sides[0][0][0])
    labels = np.array([sides[0][0][0][example] for example in examples])
    logits = [np.array([[one[1][example] for example in examples] for one in side]) for side in sides]
    if record.task.kind == "classification":
        right = [side.argmax(axis=-1) == labels for side in logits]
        return mcnemar(right[0], right[1])
    return paired_bootstrap(
        RESAMPLED.get(metric, RESAMPLED["pearson"]), labels, logits[0][..., 0], logits[1][..., 0]
    )
