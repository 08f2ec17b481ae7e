"""Examples: rows checked one by one and written to disk as the columns that every task has."""

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from datasets import Dataset, Features, Value
from datasets.exceptions import DatasetGenerationError

from lmdistill.core.errors import DataError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.core.progress import track
from lmdistill.data.files.dataset_errors import underlying_error
from lmdistill.data.files.progress_bars import without_bars
from lmdistill.data.files.table import Row, Rows
from lmdistill.data.tasks.task_spec import TASKS, Kind, TaskSpec

log = logging.getLogger("lmdistill")

FORMAT = 1  # count up when examples are written differently, so that no old cache is read

LABEL_DTYPES: Mapping[Kind, str] = {"classification": "int64", "regression": "float64"}

RowFlaw = Literal["cut", "empty", "unlabelled"]
_FLAWS: tuple[RowFlaw | None, ...] = (None, "cut", "empty", "unlabelled")
_SAID: Mapping[RowFlaw, str] = {
    "cut": "with a wrong number of fields",
    "empty": "with an empty text",
    "unlabelled": "without a label",
}


@dataclass(frozen=True, kw_only=True)
class ColumnMapping:
    """Which columns become an example, and what is refused."""

    spec: TaskSpec
    """The task, with its labels in order."""

    texts: tuple[str, ...]
    """One or two text columns of the rows."""

    label: str | None
    """Label column; None for rows without labels."""

    index: str | None = None
    """Column with the official number; None counts rows from 0."""

    tolerated: tuple[RowFlaw, ...] = ()
    """What is noted instead of refused."""

    drop: bool = True
    """Whether rows with a tolerated flaw are left out (and counted), or kept."""

    @property
    def key(self) -> str:
        """Fingerprint of everything that changes the examples."""
        spec = self.spec
        numbers = spec.name in TASKS
        question = (spec.kind, spec.labels, spec.score_range, numbers)
        return fingerprint(FORMAT, question, self.texts, self.label, self.index, self.tolerated)


def _classes(spec: TaskSpec) -> dict[str, int]:
    """Class by what may stand in a file: the name, and for the official tasks also the number."""
    numbers = {str(number): number for number in range(len(spec.labels))} if spec.name in TASKS else {}
    return {**numbers, **{name: number for number, name in enumerate(spec.labels)}}


def _score(text: str, place: str, spec: TaskSpec) -> float:
    """A score as a number; refused when it is none, or outside the range of the task."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    low, high = spec.score_range or (-math.inf, math.inf)
    if not math.isfinite(value) or not low <= value <= high:
        wanted = f"a number between {low:g} and {high:g}" if spec.score_range else "a finite number"
        raise DataError(f"{place}: the score is {text!r}, where {wanted} is needed. Mend or remove the row.")
    return value


def _class(text: str, place: str, classes: Mapping[str, int], spec: TaskSpec) -> int:
    """A label as a class; refused when no label has this name."""
    if text not in classes:
        raise DataError(
            f"{place}: the label {text!r} is unknown; known: {', '.join(spec.labels)}. "
            "Mend the row, or name all labels with labels=."
        )
    return classes[text]


def _flaw(row: Row, reading: ColumnMapping) -> RowFlaw | None:
    """The first thing that is wrong with a row, label names and scores apart."""
    if any(
        column not in row.fields for column in (*reading.texts, *([reading.label] if reading.label else []))
    ):
        return "cut"
    if not all(row.fields[column].strip() for column in reading.texts):
        return "empty"
    if reading.label is not None and not row.fields[reading.label].strip():
        return "unlabelled"
    return None


def read_examples(rows: Rows, reading: ColumnMapping) -> Iterator[dict[str, Any]]:
    """Rows as examples, with `flaw` (0 for none) as an extra column.

    Raises:
        DataError: A row that cannot be used, with its place.
    """
    spec, classes = reading.spec, _classes(reading.spec)
    for position, row in enumerate(track(rows.read(), f"reading {rows.name}", unit="row")):
        flaw = _flaw(row, reading)
        if flaw is not None and flaw not in reading.tolerated:
            raise DataError(_refusal(flaw, rows.location(row.number), row, reading))
        label = row.fields.get(reading.label, "").strip() if reading.label else ""
        number: float = -1
        if label and flaw != "cut":
            place = rows.location(row.number)
            number = (
                _class(label, place, classes, spec)
                if spec.kind == "classification"
                else _score(label, place, spec)
            )
        texts = [row.fields.get(column, "") for column in reading.texts]
        yield {
            "sentence1": texts[0],
            "sentence2": texts[1] if len(texts) == 2 else "",
            "label": number,
            "index": _index(row, rows, reading) if reading.index else position,
            "flaw": _FLAWS.index(flaw),
        }


def _index(row: Row, rows: Rows, reading: ColumnMapping) -> int:
    """The official number of a row."""
    text = row.fields.get(reading.index or "", "")
    if not text.isdecimal():
        raise DataError(
            f"{rows.location(row.number)}: {reading.index} is {text!r}, where a whole number is needed."
        )
    return int(text)


def _refusal(flaw: RowFlaw, place: str, row: Row, reading: ColumnMapping) -> str:
    """What to say of a row with a flaw that is not tolerated."""
    if flaw == "empty":
        column = next(column for column in reading.texts if not row.fields[column].strip())
        return f"{place}: the text in {column!r} is empty. Fill it in or remove the row."
    if flaw == "unlabelled":
        return f"{place}: there is no label in {reading.label!r}. Fill it in or remove the row."
    return f"{place}: the row has too few fields. Mend it."


def require_rows(rows: Rows) -> None:
    """Refuse a table without rows.

    Raises:
        DataError: It has a header only.
    """
    if next(rows.read(), None) is None:
        columns = ", ".join(rows.fieldnames)
        raise DataError(f"{rows.name} has a header ({columns}) and no rows. Add examples.")


def build_examples(rows: Rows, reading: ColumnMapping) -> tuple[Dataset, tuple[str, ...]]:
    """Write the examples of `rows` to the cache of `datasets`, once for each content, and memory-map them.

    Returns:
        The examples as `Task` describes them, and notes on flawed rows. Memory does not grow with the rows.

    Raises:
        DataError: A row that cannot be used (with its place), or no rows at all.
    """
    require_rows(rows)
    columns = {"sentence1": "string", "sentence2": "string", "label": LABEL_DTYPES[reading.spec.kind]}
    columns |= {"index": "int64", "flaw": "int8"}
    features = Features({name: Value(kind) for name, kind in columns.items()})
    with without_bars():
        try:
            table = Dataset.from_generator(
                partial(read_examples, rows, reading),
                features=features,
                fingerprint=fingerprint(rows.key, reading.key),
            )
        except DatasetGenerationError as error:
            raise underlying_error(error) from error
        kept, notes = _without_flaws(table, reading) if reading.tolerated else (table, [])
    if not kept.num_rows:
        raise DataError(f"{rows.name}: none of the {table.num_rows} rows can be used ({'; '.join(notes)}).")
    return kept.remove_columns("flaw"), tuple(f"{rows.name}: {note}" for note in notes)


def _without_flaws(table: Dataset, reading: ColumnMapping) -> tuple[Dataset, list[str]]:
    """The rows to keep, and what to say of the others."""
    flaws = np.asarray(table.select_columns("flaw").with_format("numpy")[:]["flaw"])
    counts = {flaw: int((flaws == code).sum()) for code, flaw in enumerate(_FLAWS) if flaw}
    action = "dropped" if reading.drop else "kept"
    notes = [
        f"{action} {count} of {len(flaws)} rows {_SAID[flaw]}" for flaw, count in counts.items() if count
    ]
    return (table.select(np.flatnonzero(flaws == 0)) if notes and reading.drop else table), notes
