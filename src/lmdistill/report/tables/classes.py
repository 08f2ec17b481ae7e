"""Tables of precision, recall and F1 of each class."""

from collections.abc import Sequence

import numpy as np

from lmdistill.analysis.number_format import percent
from lmdistill.analysis.result_table import Comparison, Row
from lmdistill.records.class_facts import ClassFacts
from lmdistill.report.grid import Grid

MOST_CLASSES = 12
"""Largest number of classes that a table shows of each row; of more, those with the lowest F1."""

CLASS_TITLES = ("precision, %", "recall, %", "F1, %", "examples", "predicted")
"""Columns of the scores of a class."""

OfClasses = tuple[ClassFacts, ...]
"""The scores of all classes in the order of the task."""


def class_tables(table: Comparison) -> tuple[Grid, ...]:
    """Precision, recall and F1 by class on each split, as means over seeds; a line per row and class.

    Returns:
        No table for a regression, for language models, and for older records.
    """
    splits = dict.fromkeys(split for split, _ in table.scores)
    grids = [_grid(table, split) for split in splits]
    return tuple(grid for grid in grids if grid.rows)


def class_line(label: str, seeds: Sequence[ClassFacts]) -> tuple[str, ...]:
    """A label and the columns `CLASSCLASS_TITLES`: means over the seeds of one class."""
    shares = (
        percent(float(np.mean([getattr(one, name) for one in seeds])))
        for name in ("precision", "recall", "f1")
    )
    predicted = float(np.mean([one.predicted for one in seeds]))
    return (label, *shares, f"{seeds[0].support:,}", f"{predicted:,.1f}".removesuffix(".0"))


def _known(row: Row, table: Comparison, split: str) -> list[OfClasses]:
    """Scores of each network of a row; a teacher's are in the records of its students too."""
    if row.role != "teacher":
        return [found for run in row.runs if (found := run.record.classes.get(split))]
    names = {network.fingerprint for network in row.networks}
    known = {run.record.student.fingerprint: run.record.classes.get(split) for run in row.runs}
    for record in (run.record for run in table.runs):
        name = None if record.teacher is None else record.teacher.fingerprint
        if name in names and split in record.teacher_classes:
            known[name] = record.teacher_classes[split]
    return [found for found in known.values() if found]


def _lines(row: Row, seeds: Sequence[OfClasses]) -> list[tuple[str, ...]]:
    """The lines of one row of the main table, in the order of the classes."""
    classes = list(zip(*seeds, strict=True))
    means = [float(np.mean([one.f1 for one in of_class])) for of_class in classes]
    shown = sorted(np.argsort(means, kind="stable")[:MOST_CLASSES])
    return [class_line(f"{row.label}: {classes[at][0].label}", classes[at]) for at in shown]


def _grid(table: Comparison, split: str) -> Grid:
    """The table of one split."""
    known = [(row, _known(row, table, split)) for row in table.rows]
    lines = [line for row, seeds in known if seeds for line in _lines(row, seeds)]
    several = len(table.task.labels)
    note = f"The {MOST_CLASSES} of {several} classes with the lowest F1 of each row; record.json has all."
    headline = table.scores[0][0]
    return Grid(
        caption=f"Precision, recall and F1 by class on {split}; means over seeds.",
        header=("", *CLASS_TITLES),
        rows=tuple(lines),
        notes=(note,) if several > MOST_CLASSES else (),
        alarms=(),
        name="classes" if split == headline else f"classes-{split.replace('_', '-')}",
    )
