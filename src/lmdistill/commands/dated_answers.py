"""A file of texts with a judge's answers and dates, as an audit of a student in use needs it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from lmdistill.commands.prediction_file import LABEL
from lmdistill.commands.text_model import TextModel, rows_for, text_table
from lmdistill.core.errors import DataError
from lmdistill.data.files.table import Row, Rows, cell_text
from lmdistill.data.tasks.column_inference import label_column
from lmdistill.data.tasks.label_inference import NO_LABEL, require_single_label
from lmdistill.data.tasks.label_reading import LabelNumbers
from lmdistill.data.tasks.label_sets import LabelSetFormat
from lmdistill.data.tasks.task_spec import TaskSpec

DATES = ("time", "date")
"""Columns of dates, unless one is named; the first one that there is counts."""

ANSWERS = {"teacher": ("answer", "teacher", "label"), "labels": ("answer", "label", "teacher")}
"""The same of answers, by the judge of the certificate."""

GRAPH = "graph"
"""Column with the graph that answered."""

SERVED = (LABEL, "confidence", "defer", GRAPH, *DATES, "answer", "teacher", "label")
"""Columns that are no texts, unless they are named as texts."""

ANSWER_ADVICE = "Correct the row, or name the column of answers with --answer."
MODEL_ADVICE = "The file is of another model: name its folder, or leave the column out."
"""What to do about unknown labels of the judge, and of the student."""

DAY_OR_MONTH_FIRST = re.compile(r"\d{1,2}([./-])\d{1,2}\1\d{2,4}\b.*")
"""Dates of which it is not known which number is the month."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Columns that the user names; None or () takes the usual ones."""

    text: tuple[str, ...] = ()
    """Column of the text, or columns of the pair."""

    answer: str | None = None
    """Column of the judge's answers."""

    date: str | None = None
    """Column of the dates."""


@dataclass(frozen=True, kw_only=True)
class DatedAnswers:
    """The rows of an audit."""

    source: str
    """Path of the file, for messages."""

    answer_column: str
    """Where the answers were read."""

    texts: tuple[tuple[str, ...], ...]
    """The one or two texts of each row."""

    days: tuple[date, ...]
    """Day of each row in UTC."""

    answers: tuple[frozenset[int] | None, ...]
    """Numbers of the judge's labels for each row; None without an answer."""

    predicted: tuple[frozenset[int] | None, ...]
    """The same of the labels that the file says the student gave; None for all if it does not say that."""

    locations: tuple[str, ...]
    """Location of each row, for messages."""

    @property
    def weeks(self) -> tuple[str, ...]:
        """ISO week of each row, such as 2026-W49."""
        dates = [day.isocalendar() for day in self.days]
        return tuple(f"{one.year}-W{one.week:02}" for one in dates)


def graph_in(source: Path, model: TextModel) -> str | None:
    """The graph that answered the rows of a file; None if it has no such column.

    Raises:
        DataError: If several graphs answered, or the file cannot be read.
    """
    rows = rows_for(source, model)
    if GRAPH not in rows.fieldnames:
        return None
    names = {row.fields.get(GRAPH, "").strip() for row in rows.read()} - {""}
    if len(names) > 1:
        raise DataError(
            f"{source} has rows of several graphs: {', '.join(sorted(names))}. Audit the rows of each graph "
            "on their own, or name one with --graph."
        )
    return next(iter(names), None)


def read_dated_answers(
    source: Path, model: TextModel, columns: Columns, usual: Sequence[str], *, separator: str | None = None
) -> DatedAnswers:
    """Read the rows of an audit.

    Args:
        source: CSV, TSV, JSON or Parquet, also gzip'd.
        model: What answered, and how it reads texts.
        columns: What the user names.
        usual: Columns of answers, of which the first one that there is counts if none is named.
        separator: What stands between several labels that are one text.

    Raises:
        DataError: There are no rows, no dates or no answers, a date cannot be read or has an unclear order,
            or an answer is no label of the model; with the location of the row.
    """
    rows = rows_for(source, model)
    answer = _column(rows, columns.answer, usual, "answers", "--answer")
    day = _column(rows, columns.date, DATES, "dates", "--date")
    apart = {name for name in rows.fieldnames if name.lower() in SERVED}
    model = replace(model, not_text=(*model.not_text, *sorted({*apart, answer, day} - {*model.columns})))
    table = text_table(rows, model, columns.text)
    label_of = _label_reader(model, answer, separator, ANSWER_ADVICE)
    predicted_of = _label_reader(model, LABEL, separator, MODEL_ADVICE)
    has_predicted = LABEL in rows.fieldnames and answer != LABEL
    texts, days, answers, predicted, locations = [], [], [], [], []
    for row in rows.read():
        location = rows.location(row.number)
        texts.append(table.texts(row))
        days.append(day_of((row.values or row.fields).get(day), day, location))
        answers.append(label_of(row, location))
        predicted.append(predicted_of(row, location) if has_predicted else None)
        locations.append(location)
    if not texts:
        raise DataError(f"{source} has no rows. Name a file of texts with answers and dates.")
    return DatedAnswers(
        source=str(source),
        answer_column=answer,
        texts=tuple(texts),
        days=tuple(days),
        answers=tuple(answers),
        predicted=tuple(predicted),
        locations=tuple(locations),
    )


def _column(rows: Rows, named: str | None, usual: Sequence[str], what: str, option: str) -> str:
    """The column that is named, or the first of the usual ones."""
    if named is not None:
        try:
            return label_column(rows.fieldnames, named)
        except DataError as error:
            raise DataError(f"{rows.name}: {error}") from None
    by_name = {name.lower(): name for name in reversed(rows.fieldnames)}
    found = next((by_name[name] for name in usual if name in by_name), None)
    if found is None:
        raise DataError(
            f"{rows.name} has no column of {what}: its columns are {', '.join(rows.fieldnames)}. Name it "
            f"with {option}."
        )
    return found


def day_of(value: Any, column: str, location: str) -> date:
    """The day of a cell in UTC; a time without a zone is taken as UTC.

    Args:
        value: A text in the form of ISO 8601, such as 2026-11-30 or 2026-11-30T10:00:00Z, or a date.
        column: Name of the column, for messages.
        location: Of the row, for messages.

    Raises:
        DataError: It is empty, or cannot be read, or it is not clear which number is the month.

    Examples:
        >>> day_of("2026-11-30T23:30:00-02:00", "time", "a.csv, line 2").isoformat()
        '2026-12-01'
    """
    text = cell_text(value).strip() if not isinstance(value, date) else value.isoformat()
    if not text:
        raise DataError(f"{location}: the date in {column!r} is empty. Fill it in, or remove the row.")
    try:
        found = datetime.fromisoformat(text)
        return (found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)).date()
    except (ValueError, OverflowError):
        pass
    if DAY_OR_MONTH_FIRST.fullmatch(text):
        raise DataError(
            f"{location}: the date {text!r} in {column!r} has an unclear order: its first number may be the "
            "day or the month. Write the year first, as in 2026-11-30."
        )
    raise DataError(
        f"{location}: {text!r} in {column!r} is no date that can be read. Write it as 2026-11-30, or with "
        "its time as 2026-11-30T10:00:00Z."
    )


def _label_reader(
    model: TextModel, column: str, separator: str | None, advice: str
) -> Callable[[Row, str], frozenset[int] | None]:
    """A function that reads the labels of a row from a column; it gives None for a row without any."""
    answers = model.answers
    numbers = LabelNumbers(
        TaskSpec(name=model.task or "own", kind=answers.kind, columns=("text",), labels=answers.labels), ()
    )
    form = LabelSetFormat(columns=(column,), separator=separator)

    def number_of(name: str, location: str) -> int:
        number = numbers.get(name)
        if number is None:
            raise DataError(
                f"{location}: {name!r} in {column!r} is no label of {model.source}, which answers "
                f"{', '.join(answers.labels)}. {advice}"
            )
        return number

    def read(row: Row, location: str) -> frozenset[int] | None:
        if answers.kind == "multilabel":
            names = form.names(row, location)
        else:
            require_single_label(row, column, location)
            text = row.fields.get(column, "").strip()
            is_missing = not text or (text.casefold() in NO_LABEL and numbers.get(text) is None)
            names = None if is_missing else (text,)
        return None if names is None else frozenset(number_of(name, location) for name in names)

    return read
