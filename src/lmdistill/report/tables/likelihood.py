"""Nats a token of parts of the dev texts: by the length of the text, and by the place in it."""

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
"""A first and a last number of tokens."""

Cell = Callable[[RecordedRun, Span, bool], Value]
"""Nats a token of a run in a span, of its teacher where that is asked."""


def likelihoods(table: Comparison) -> tuple[Grid, ...]:
    """Nats a token by length of text and by position, a line a row; nothing for classes and scores.

    Older runs have neither: they are left out.
    """
    if table.task.kind != "language":
        return ()
    return tuple(found for found in (_by_length(table), _by_position(table)) if found is not None)


def _by_length(table: Comparison) -> Grid | None:
    """Quarters of the texts, from short to long."""
    answers = {run.path: _headline(run, table) for run in table.runs}
    seen = next((found for found in answers.values() if found), [])
    spans = ranges([one.tokens for one in seen if one.tokens is not None])

    def cell(run: RecordedRun, span: Span, of_teacher: bool) -> Value:
        """Of all tokens of the texts together."""
        inside = [one for one in answers[run.path] if span[0] <= (one.tokens or 0) <= span[1]]
        sums = [one.teacher if of_teacher else one.student for one in inside]
        known = [one[0] for one in sums if one]
        return sum(known) / sum(one.label for one in inside) if inside and len(known) == len(inside) else None

    counts = {span: sum(span[0] <= (one.tokens or 0) <= span[1] for one in seen) for span in spans}
    titles = [f"{span_text(*span)} tokens ({counts[span]:,})" for span in spans]
    caption = "Nats a token by length of the text, prompt included; means over seeds, texts in brackets."
    parts = dict(zip(titles, spans, strict=True))
    return _grid(table, "by-length", parts, cell, caption) if len(spans) > 1 else None


def _headline(run: RecordedRun, table: Comparison) -> list[Prediction]:
    """The texts of the headline, where their lengths are known."""
    found = read_predictions(run.path / PREDICTIONS)
    return [one for one in found if one.split == table.scores[0][0] and one.tokens is not None]


def _by_position(table: Comparison) -> Grid | None:
    """From early to late tokens."""
    counts = {(one.first, one.last): one.count for run in table.runs for one in run.record.positions}
    spans = sorted(counts)

    def cell(run: RecordedRun, span: Span, of_teacher: bool) -> Value:
        """What the record says."""
        found = [one for one in run.record.positions if (one.first, one.last) == span]
        return (found[0].teacher_nats if of_teacher else found[0].nats) if found else None

    titles = [f"after {span_text(*span)} ({counts[span]:,})" for span in spans]
    caption = (
        "Nats a token by how many tokens of the text stand before it; means over seeds, tokens in brackets."
    )
    parts = dict(zip(titles, spans, strict=True))
    return _grid(table, "by-position", parts, cell, caption) if len(spans) > 1 else None


def _grid(table: Comparison, name: str, parts: dict[str, Span], cell: Cell, caption: str) -> Grid | None:
    """Means over seeds; the only teacher has the first line. None where nobody has a number."""

    def line(label: str, runs: Sequence[RecordedRun], of_teacher: bool) -> tuple[str, ...]:
        """One row of the table."""
        found = [[cell(run, span, of_teacher) for run in runs] for span in parts.values()]
        known = [[one for one in values if one is not None and math.isfinite(one)] for values in found]
        return label, *(metric_format("nats").text(float(np.mean(one)) if one else None) for one in known)

    students = [row for row in table.rows if row.role != "teacher"]
    teachers = [row.label for row in table.rows if row.role == "teacher"]
    lines = [line(row.label, row.runs, False) for row in students]
    if len(teachers) == 1:
        taught = [
            run
            for row in students
            for run in row.runs
            if any(cell(run, span, True) is not None for span in parts.values())
        ]
        lines.insert(0, line(teachers[0], one_each(taught), True))
    rows = tuple(one for one in lines if set(one[1:]) != {NONE})
    header = ("", *parts)
    return Grid(name=name, caption=caption, header=header, rows=rows, notes=(), alarms=()) if rows else None
