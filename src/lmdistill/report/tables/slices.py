"""Tables of the accuracy on parts of the dev examples: by class, and by text length."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmdistill.analysis.grouping import one_each
from lmdistill.analysis.metric_format import NONE
from lmdistill.analysis.number_format import percent
from lmdistill.analysis.result_table import Comparison
from lmdistill.records.predictions import PREDICTIONS, Prediction, read_predictions
from lmdistill.records.record import RecordedRun
from lmdistill.report.grid import Grid

PARTS = 4
"""Number of groups of text lengths, with about the same number of examples each."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the dev examples."""

    title: str
    """Title of its column."""

    holds: Callable[[Prediction], bool]
    """Whether an example belongs to it."""


def slices(table: Comparison) -> tuple[Grid, ...]:
    """Accuracy by class and by text length, one row per row of the table.

    Predictions of older runs have no text lengths.

    Returns:
        No table for regression and language models, for several labels a text (`label_slices` has those), or
        without stored predictions.
    """
    if table.task.kind != "classification" or table.task.multi_label:
        return ()
    predictions = {run.path: headline_predictions(run, table) for run in table.runs}
    examples = next((of_run for of_run in predictions.values() if of_run), [])
    students = {
        row.label: [predictions[run.path] for run in row.runs if predictions[run.path]]
        for row in table.rows
        if row.role != "teacher"
    }
    rows = [(label, runs) for label, runs in students.items() if runs]
    with_teacher = one_each(run for run in table.runs if any(one.teacher for one in predictions[run.path]))
    by_name = {"class": _classes(table.task.labels, examples), "length": length_parts(examples)}
    teachers = [row.label for row in table.rows if row.role == "teacher"]
    label = teachers[0] if len(teachers) == 1 else None
    teacher = None if label is None else (label, [predictions[run.path] for run in with_teacher])
    return tuple(
        _grid(name, parts, rows, teacher) for name, parts in by_name.items() if len(parts) > 1 and rows
    )


def headline_predictions(run: RecordedRun, table: Comparison) -> list[Prediction]:
    """The predictions for the headline split."""
    predictions = read_predictions(run.path / PREDICTIONS)
    return [one for one in predictions if one.split == table.scores[0][0]]


def _classes(labels: Sequence[str], examples: Sequence[Prediction]) -> list[Part]:
    """One part for each class that occurs."""
    counts = {index: sum(one.label == index for one in examples) for index in range(len(labels))}
    return [
        Part(title=f"{labels[index]} ({count:,})", holds=lambda one, index=index: one.label == index)  # type: ignore[misc]
        for index, count in counts.items()
        if count
    ]


def ranges(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """At most `PARTS` ranges (first, last) with about the same number of lengths each, from short to long.

    Examples:
        >>> ranges([1, 2, 3, 4, 5, 6, 7, 8]), ranges([3, 3, 3])
        ([(1, 2), (3, 4), (5, 6), (7, 8)], [(3, 3)])
    """
    if not lengths:
        return []
    inner = np.quantile(lengths, np.linspace(0, 1, PARTS + 1), method="lower")[1:-1]
    ends = sorted({int(end) for end in inner} | {max(lengths)})
    return list(zip([min(lengths), *(end + 1 for end in ends[:-1])], ends, strict=True))


def span_text(first: int, last: int) -> str:
    """A range as text; one number if both ends are equal.

    Examples:
        >>> span_text(4, 7), span_text(3, 3)
        ('4 to 7', '3')
    """
    return str(first) if first == last else f"{first} to {last}"


def length_parts(examples: Sequence[Prediction]) -> list[Part]:
    """One part for each quarter of the text lengths, from short to long; none if some are not known."""
    lengths = [one.tokens for one in examples if one.tokens is not None]
    parts = []
    for start, end in ranges(lengths) if len(lengths) == len(examples) else []:
        count = sum(start <= length <= end for length in lengths)
        title = f"{span_text(start, end)} tokens ({count:,})"
        parts.append(Part(title=title, holds=lambda one, a=start, b=end: a <= (one.tokens or 0) <= b))  # type: ignore[misc]
    return parts


def _correct(predictions: Sequence[Prediction], of_teacher: bool) -> NDArray[np.float64]:
    """1 for a correct prediction, 0 for a wrong one, NaN if logits are missing or not finite; (n,)."""
    logits = [one.teacher if of_teacher else one.student for one in predictions]
    return np.array(
        [
            np.nan if values is None or np.isnan(values).any() else float(np.argmax(values) == one.label)
            for one, values in zip(predictions, logits, strict=True)
        ]
    )


def _accuracy(predictions: Sequence[Prediction], part: Part, of_teacher: bool) -> float | None:
    """Accuracy on a part in [0, 1]; None if predictions are missing."""
    correct = _correct([one for one in predictions if part.holds(one)], of_teacher)
    return float(correct.mean()) if len(correct) and np.isfinite(correct).all() else None


def _grid(
    name: str,
    parts: Sequence[Part],
    rows: Sequence[tuple[str, Sequence[Sequence[Prediction]]]],
    teacher: tuple[str, Sequence[Sequence[Prediction]]] | None,
) -> Grid:
    """Means over seeds, with the teacher in the first row if there is only one."""

    def line(label: str, runs: Sequence[Sequence[Prediction]], of_teacher: bool) -> tuple[str, ...]:
        accuracies = [[_accuracy(run, part, of_teacher) for run in runs] for part in parts]
        known = [[one for one in of_part if one is not None] for of_part in accuracies]
        return label, *(percent(float(np.mean(one)) if one else None) for one in known)

    lines = [line(label, runs, False) for label, runs in rows]
    if teacher is not None:
        lines.insert(0, line(*teacher, True))
    return Grid(
        caption=f"Accuracy by {name}, %; means over seeds, number of examples in brackets.",
        header=("", *(part.title for part in parts)),
        rows=tuple(one for one in lines if set(one[1:]) != {NONE}),
        notes=(),
        alarms=(),
        name=f"by-{name}",
    )
