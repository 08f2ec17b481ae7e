"""Tables of multi-label tasks: F1, calibration and threshold of each label, and F1 by text length."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from lmdistill.analysis.grouping import one_each
from lmdistill.analysis.metric_format import NONE
from lmdistill.analysis.number_format import percent
from lmdistill.analysis.result_table import Comparison
from lmdistill.metrics.multi_label import THRESHOLD, label_f1, micro_f1, predicted_labels
from lmdistill.records.predictions import Prediction
from lmdistill.records.record import Record, RecordedRun
from lmdistill.report.grid import Grid
from lmdistill.report.tables.slices import Part, headline_predictions, length_parts


def label_slices(table: Comparison) -> tuple[Grid, ...]:
    """F1, calibration error and threshold by label, and micro F1 by text length, a line for each row.

    Returns:
        No table for other kinds of tasks.
    """
    if not table.task.multi_label:
        return ()
    predictions = {run.path: headline_predictions(run, table) for run in table.runs}
    examples = next((of_run for of_run in predictions.values() if of_run), [])
    counts = _counts(table, examples)

    def f1_of(run: RecordedRun, of_teacher: bool) -> NDArray[np.float64] | None:
        return _by_label(run, predictions[run.path], of_teacher)

    grids = [
        _grid(
            "f1-by-label",
            "F1 by label, %; means over seeds, number of examples with the label in brackets.",
            counts,
            _lines(table, f1_of, percent),
        ),
        _grid(
            "calibration-by-label",
            "Calibration error by label, %: its probability against the share of texts that have it.",
            counts,
            _lines(table, lambda run, of_teacher: _calibration(run.record, of_teacher), percent),
        ),
    ]
    if any(run.record.thresholds is not None for run in table.runs):
        lines = _lines(table, lambda run, of_teacher: _thresholds(run.record, of_teacher), "{:.3f}".format)
        caption = "Probability from which on a label is predicted; means over seeds."
        grids.append(_grid("threshold-by-label", caption, counts, lines))
    parts = length_parts(examples)
    if len(parts) > 1:

        def lengths(run: RecordedRun, of_teacher: bool) -> NDArray[np.float64] | None:
            return _by_length(run, predictions[run.path], parts, of_teacher)

        caption = "Micro F1 by length, %; means over seeds, number of examples in brackets."
        titles = [part.title for part in parts]
        grids.append(_grid("f1-by-length", caption, titles, _lines(table, lengths, percent)))
    return tuple(grid for grid in grids if grid.rows)


def _counts(table: Comparison, examples: Sequence[Prediction]) -> list[str]:
    """Each label with the number of examples that have it."""
    labels = table.task.labels
    counts = [sum(number in (one.labels or ()) for one in examples) for number in range(len(labels))]
    return [
        f"{label} ({count:,})" if examples else label for label, count in zip(labels, counts, strict=True)
    ]


def _logits(predictions: Sequence[Prediction], of_teacher: bool) -> NDArray[np.float64] | None:
    """The logits of a network; None if some are missing or not finite."""
    values = [one.teacher if of_teacher else one.student for one in predictions]
    if not values or any(one is None or not np.isfinite(one).all() for one in values):
        return None
    return np.array(values, dtype=float)


def _decisions(
    run: RecordedRun, predictions: Sequence[Prediction], of_teacher: bool
) -> tuple[NDArray[np.int64], NDArray[np.bool_]] | None:
    """Labels and predicted labels as rows; None if predictions are missing."""
    logits = _logits(predictions, of_teacher)
    if logits is None or any(one.labels is None for one in predictions):
        return None
    rows = np.stack([one.label_row() for one in predictions])
    return rows, predicted_labels(logits, _thresholds(run.record, of_teacher))


def _by_label(
    run: RecordedRun, predictions: Sequence[Prediction], of_teacher: bool
) -> NDArray[np.float64] | None:
    """F1 of each label."""
    found = _decisions(run, predictions, of_teacher)
    return None if found is None else label_f1(*found)


def _by_length(
    run: RecordedRun, predictions: Sequence[Prediction], parts: Sequence[Part], of_teacher: bool
) -> NDArray[np.float64] | None:
    """Micro F1 of each range of text lengths."""
    found = _decisions(run, predictions, of_teacher)
    if found is None:
        return None
    inside = [np.array([part.holds(one) for one in predictions]) for part in parts]
    return np.array([micro_f1(found[0][rows], found[1][rows]) for rows in inside])


def _thresholds(record: Record, of_teacher: bool) -> Sequence[float] | None:
    """The thresholds of a network; None is 0.5 for all."""
    if record.thresholds is None:
        return None
    chosen = record.thresholds.teacher if of_teacher else record.thresholds.student
    return (THRESHOLD,) * len(record.task.labels) if chosen is None else chosen


def _calibration(record: Record, of_teacher: bool) -> Sequence[float] | None:
    """The calibration error of each label; None if it was not recorded."""
    side = record.teacher_calibration if of_teacher else record.calibration
    return None if side is None or not side.by_label else side.by_label


def _lines(
    table: Comparison,
    values: Callable[[RecordedRun, bool], Sequence[float] | NDArray[np.float64] | None],
    text: Callable[[float], str],
) -> list[tuple[str, ...]]:
    """One line for each row with values: the teacher, if there is only one, then the students."""

    def line(label: str, runs: Sequence[RecordedRun], of_teacher: bool) -> Iterator[tuple[str, ...]]:
        known = [found for run in runs if (found := values(run, of_teacher)) is not None]
        if known:
            yield label, *(text(float(mean)) for mean in np.mean(np.array(known), axis=0))

    teachers = [row.label for row in table.rows if row.role == "teacher"]
    taught = one_each(run for run in table.learners if run.record.teacher_metrics is not None)
    lines = list(line(teachers[0], taught, True)) if len(teachers) == 1 else []
    for row in table.rows:
        if row.role != "teacher":
            lines += line(row.label, row.runs, False)
    return lines


def _grid(name: str, caption: str, titles: Sequence[str], lines: Sequence[tuple[str, ...]]) -> Grid:
    """A table with one column for each label or range of lengths."""
    return Grid(
        caption=caption,
        header=("", *titles),
        rows=tuple(one for one in lines if set(one[1:]) != {NONE}),
        notes=(),
        alarms=(),
        name=name,
    )
