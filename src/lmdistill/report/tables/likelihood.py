"""Tables of nats per token on parts of the dev texts: by text length, and by position in the text."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from lmdistill.analysis.grouping import one_each
from lmdistill.analysis.metric_format import NONE, Value, metric_format
from lmdistill.analysis.result_table import Comparison
from lmdistill.records.predictions import PREDICTIONS, Prediction, read_predictions
from lmdistill.records.record import RecordedRun
from lmdistill.report.grid import Grid
from lmdistill.report.tables.slices import ranges, span_text

Span = tuple[int, int]
"""Smallest and largest number of tokens of a part, both included."""

Cell = Callable[[RecordedRun, Span, bool], Value]
"""Nats per token of a run in a part: of its teacher if the last argument is true, else of its student."""


def likelihoods(table: Comparison) -> tuple[Grid, ...]:
    """Nats per token by text length and by position, one row per row of the table.

    Runs of older versions that recorded neither are left out.

    Returns:
        No table for classification and regression.
    """
    if table.task.kind != "language":
        return ()
    return tuple(grid for grid in (_by_length(table), _by_position(table)) if grid is not None)


def _by_length(table: Comparison) -> Grid | None:
    """One column per quarter of the texts, from short to long."""
    predictions = {run.path: _headline(run, table) for run in table.runs}
    examples = next((of_run for of_run in predictions.values() if of_run), [])
    spans = ranges([one.tokens for one in examples if one.tokens is not None])

    def cell(run: RecordedRun, span: Span, of_teacher: bool) -> Value:
        inside = [one for one in predictions[run.path] if span[0] <= (one.tokens or 0) <= span[1]]
        sums = [one.teacher if of_teacher else one.student for one in inside]
        known = [one[0] for one in sums if one]
        return sum(known) / sum(one.label for one in inside) if inside and len(known) == len(inside) else None

    counts = {span: sum(span[0] <= (one.tokens or 0) <= span[1] for one in examples) for span in spans}
    titles = [f"{span_text(*span)} tokens ({counts[span]:,})" for span in spans]
    caption = "Nats per token by text length, prompt included; means over seeds, number of texts in brackets."
    parts = dict(zip(titles, spans, strict=True))
    return _grid(table, "by-length", parts, cell, caption) if len(spans) > 1 else None


def _headline(run: RecordedRun, table: Comparison) -> list[Prediction]:
    """Predictions for texts of known length on the headline split."""
    predictions = read_predictions(run.path / PREDICTIONS)
    return [one for one in predictions if one.split == table.scores[0][0] and one.tokens is not None]


def _by_position(table: Comparison) -> Grid | None:
    """One column per range of positions, from early to late tokens."""
    counts = {(one.first, one.last): one.count for run in table.runs for one in run.record.positions}
    spans = sorted(counts)

    def cell(run: RecordedRun, span: Span, of_teacher: bool) -> Value:
        stretch = next((one for one in run.record.positions if (one.first, one.last) == span), None)
        if stretch is None:
            return None
        return stretch.teacher_nats if of_teacher else stretch.nats

    titles = [f"after {span_text(*span)} ({counts[span]:,})" for span in spans]
    caption = (
        "Nats per token by number of preceding tokens in the text; means over seeds, number of tokens in "
        "brackets."
    )
    parts = dict(zip(titles, spans, strict=True))
    return _grid(table, "by-position", parts, cell, caption) if len(spans) > 1 else None


def _grid(table: Comparison, name: str, parts: dict[str, Span], cell: Cell, caption: str) -> Grid | None:
    """Means over seeds, with the teacher in the first row if there is only one; None without any number."""

    def line(label: str, runs: Sequence[RecordedRun], of_teacher: bool) -> tuple[str, ...]:
        columns = [[cell(run, span, of_teacher) for run in runs] for span in parts.values()]
        known = [[one for one in values if one is not None and math.isfinite(one)] for values in columns]
        return label, *(metric_format("nats").text(float(np.mean(one)) if one else None) for one in known)

    students = [row for row in table.rows if row.role != "teacher"]
    teachers = [row.label for row in table.rows if row.role == "teacher"]
    lines = [line(row.label, row.runs, False) for row in students]
    if len(teachers) == 1:
        with_teacher = [
            run
            for row in students
            for run in row.runs
            if any(cell(run, span, True) is not None for span in parts.values())
        ]
        lines.insert(0, line(teachers[0], one_each(with_teacher), True))
    rows = tuple(one for one in lines if set(one[1:]) != {NONE})
    header = ("", *parts)
    return Grid(name=name, caption=caption, header=header, rows=rows, notes=(), alarms=()) if rows else None
