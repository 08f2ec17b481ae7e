"""Quality of parts of the dev examples: by class, and by the length of the text."""

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
"""Groups of lengths, about equally many examples in each."""


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Some of the examples."""

    title: str
    holds: Callable[[Prediction], bool]


def slices(table: Comparison) -> tuple[Grid, ...]:
    """Right answers by class and by length, a line a row; nothing without answers or without classes.

    Lengths are in records since they are kept with the answers; older runs have none.
    """
    if table.task.kind != "classification":
        return ()
    answers = {run.path: _headline(run, table) for run in table.runs}
    seen = next((found for found in answers.values() if found), [])
    held = {
        row.label: [answers[run.path] for run in row.runs if answers[run.path]]
        for row in table.rows
        if row.role != "teacher"
    }
    rows = [(label, runs) for label, runs in held.items() if runs]
    taught = one_each(run for run in table.runs if any(one.teacher for one in answers[run.path]))
    parts = {"class": _classes(table.task.labels, seen), "length": _lengths(seen)}
    teachers = [row.label for row in table.rows if row.role == "teacher"]
    label = teachers[0] if len(teachers) == 1 else None
    theirs = None if label is None else (label, [answers[run.path] for run in taught])
    return tuple(_grid(what, found, rows, theirs) for what, found in parts.items() if len(found) > 1 and rows)


def _headline(run: RecordedRun, table: Comparison) -> list[Prediction]:
    """The answers to the examples of the headline."""
    found = read_predictions(run.path / PREDICTIONS)
    return [one for one in found if one.split == table.scores[0][0]]


def _classes(labels: Sequence[str], seen: Sequence[Prediction]) -> list[_Part]:
    """One for each class that occurs."""
    counts = {place: sum(one.label == place for one in seen) for place in range(len(labels))}
    return [
        _Part(title=f"{labels[place]} ({count:,})", holds=lambda one, place=place: one.label == place)  # type: ignore[misc]
        for place, count in counts.items()
        if count
    ]


def ranges(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """First and last of about equally many lengths each, `PARTS` at most, from short to long.

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
    """One number, or two.

    Examples:
        >>> span_text(4, 7), span_text(3, 3)
        ('4 to 7', '3')
    """
    return str(first) if first == last else f"{first} to {last}"


def _lengths(seen: Sequence[Prediction]) -> list[_Part]:
    """Quarters of the lengths, from short to long."""
    lengths = [one.tokens for one in seen if one.tokens is not None]
    parts = []
    for start, end in ranges(lengths) if len(lengths) == len(seen) else []:
        count = sum(start <= length <= end for length in lengths)
        title = f"{span_text(start, end)} tokens ({count:,})"
        parts.append(_Part(title=title, holds=lambda one, a=start, b=end: a <= (one.tokens or 0) <= b))  # type: ignore[misc]
    return parts


def _right(found: Sequence[Prediction], of_teacher: bool) -> NDArray[np.float64]:
    """1 where the answer is right, NaN where there is none or it is no number."""
    logits = [one.teacher if of_teacher else one.student for one in found]
    return np.array(
        [
            np.nan if values is None or np.isnan(values).any() else float(np.argmax(values) == one.label)
            for one, values in zip(found, logits, strict=True)
        ]
    )


def _share(found: Sequence[Prediction], part: _Part, of_teacher: bool) -> float | None:
    """Of right answers in a part; None where there is no answer."""
    right = _right([one for one in found if part.holds(one)], of_teacher)
    return float(right.mean()) if len(right) and np.isfinite(right).all() else None


def _grid(
    what: str,
    parts: Sequence[_Part],
    rows: Sequence[tuple[str, Sequence[Sequence[Prediction]]]],
    teacher: tuple[str, Sequence[Sequence[Prediction]]] | None,
) -> Grid:
    """Means over seeds; the only teacher has the first line."""

    def line(label: str, runs: Sequence[Sequence[Prediction]], of_teacher: bool) -> tuple[str, ...]:
        """One row of the table."""
        shares = [[_share(run, part, of_teacher) for run in runs] for part in parts]
        known = [[one for one in of_part if one is not None] for of_part in shares]
        return label, *(percent(float(np.mean(one)) if one else None) for one in known)

    lines = [line(label, runs, False) for label, runs in rows]
    if teacher is not None:
        lines.insert(0, line(*teacher, True))
    return Grid(
        caption=f"Right answers by {what}, %; means over seeds, examples in brackets.",
        header=("", *(part.title for part in parts)),
        rows=tuple(one for one in lines if set(one[1:]) != {NONE}),
        notes=(),
        alarms=(),
        name=f"by-{what}",
    )
