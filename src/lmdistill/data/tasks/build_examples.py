"""Check the rows of a table and write them to disk as examples with the columns that every task has."""

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
from lmdistill.data.files.checked_cache import cached_rows
from lmdistill.data.files.dataset_errors import underlying_error
from lmdistill.data.files.progress_bars import without_bars
from lmdistill.data.files.table import Row, Rows
from lmdistill.data.tasks.task_spec import TASKS, Kind, TaskSpec

log = logging.getLogger("lmdistill")

FORMAT = 1  # increase it when examples are written differently, so that older caches are not used

LABEL_DTYPES: Mapping[Kind, str] = {"classification": "int64", "regression": "float64"}
"""Kind of task -> type of the label column."""

RowFlaw = Literal["cut", "empty", "unlabelled"]
"""What can be wrong with a row: a wrong number of fields, an empty text, or no label."""

_FLAWS: tuple[RowFlaw | None, ...] = (None, "cut", "empty", "unlabelled")
_FLAW_TEXT: Mapping[RowFlaw, str] = {
    "cut": "with a wrong number of fields",
    "empty": "with an empty text",
    "unlabelled": "without a label",
}


@dataclass(frozen=True, kw_only=True)
class ColumnMapping:
    """The columns of a table with text, label and index, and which flaws of rows are accepted."""

    spec: TaskSpec
    """The task, with its labels in order."""

    texts: tuple[str, ...]
    """Names of one or two text columns."""

    label: str | None
    """Name of the label column; None for rows without labels."""

    index: str | None = None
    """Name of the column with the official index of the row; None numbers the rows from 0."""

    tolerated: tuple[RowFlaw, ...] = ()
    """Flaws that are counted and noted; any other flaw is an error."""

    drop: bool = True
    """Whether rows with a tolerated flaw are dropped; they are kept otherwise."""

    @property
    def key(self) -> str:
        """Fingerprint of everything that changes the examples."""
        spec = self.spec
        numbers = spec.name in TASKS
        question = (spec.kind, spec.labels, spec.score_range, numbers)
        return fingerprint(FORMAT, question, self.texts, self.label, self.index, self.tolerated)


def _classes(spec: TaskSpec) -> dict[str, int]:
    """Text of a label in a file -> class number: the label names, and for GLUE tasks also the numbers."""
    by_number = {str(number): number for number in range(len(spec.labels))} if spec.name in TASKS else {}
    return {**by_number, **{name: number for number, name in enumerate(spec.labels)}}


def _score(text: str, location: str, spec: TaskSpec) -> float:
    """The score of a regression task as a number; an error if it is none or outside the range of the task."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    low, high = spec.score_range or (-math.inf, math.inf)
    if not math.isfinite(value) or not low <= value <= high:
        wanted = f"a number between {low:g} and {high:g}" if spec.score_range else "a finite number"
        raise DataError(
            f"{location}: the score is {text!r}, where {wanted} is needed. Correct or remove the row."
        )
    return value


def _class(text: str, location: str, classes: Mapping[str, int], spec: TaskSpec) -> int:
    """The class number of a label; an error if the task has no such label."""
    if text not in classes:
        raise DataError(
            f"{location}: the label {text!r} is unknown; known: {', '.join(spec.labels)}. "
            "Correct the row, or name all labels with labels=."
        )
    return classes[text]


def _flaw(row: Row, mapping: ColumnMapping) -> RowFlaw | None:
    """The first flaw of a row, or None; label names and scores are checked later."""
    if any(
        column not in row.fields for column in (*mapping.texts, *([mapping.label] if mapping.label else []))
    ):
        return "cut"
    if not all(row.fields[column].strip() for column in mapping.texts):
        return "empty"
    if mapping.label is not None and not row.fields[mapping.label].strip():
        return "unlabelled"
    return None


def read_examples(rows: Rows, mapping: ColumnMapping) -> Iterator[dict[str, Any]]:
    """Read rows as examples, with an extra column `flaw`: 0, or 1 + the position in `RowFlaw`.

    Args:
        rows: The table.
        mapping: Which columns to use, and which flaws to accept.

    Raises:
        DataError: A row cannot be used; the message has its location.
    """
    spec, classes = mapping.spec, _classes(mapping.spec)
    for position, row in enumerate(track(rows.read(), f"reading {rows.name}", unit="row")):
        flaw = _flaw(row, mapping)
        if flaw is not None and flaw not in mapping.tolerated:
            raise DataError(_flaw_message(flaw, rows.location(row.number), row, mapping))
        label = row.fields.get(mapping.label, "").strip() if mapping.label else ""
        number: float = -1
        if label and flaw != "cut":
            location = rows.location(row.number)
            number = (
                _class(label, location, classes, spec)
                if spec.kind == "classification"
                else _score(label, location, spec)
            )
        texts = [row.fields.get(column, "") for column in mapping.texts]
        yield {
            "sentence1": texts[0],
            "sentence2": texts[1] if len(texts) == 2 else "",
            "label": number,
            "index": _index(row, rows, mapping) if mapping.index else position,
            "flaw": _FLAWS.index(flaw),
        }


def _index(row: Row, rows: Rows, mapping: ColumnMapping) -> int:
    """The official index of a row, >= 0."""
    text = row.fields.get(mapping.index or "", "")
    if not text.isdecimal():
        raise DataError(
            f"{rows.location(row.number)}: {mapping.index} is {text!r}, where a whole number is needed. "
            "Correct the row."
        )
    return int(text)


def _flaw_message(flaw: RowFlaw, location: str, row: Row, mapping: ColumnMapping) -> str:
    """The error message for a row with a flaw that is not tolerated."""
    if flaw == "empty":
        column = next(column for column in mapping.texts if not row.fields[column].strip())
        return f"{location}: the text in {column!r} is empty. Fill it in or remove the row."
    if flaw == "unlabelled":
        return f"{location}: there is no label in {mapping.label!r}. Fill it in or remove the row."
    return f"{location}: the row has too few fields. Correct it."


def require_rows(rows: Rows) -> None:
    """Check that a table has at least one row.

    Raises:
        DataError: The table has only a header.
    """
    if next(rows.read(), None) is None:
        columns = ", ".join(rows.fieldnames)
        raise DataError(f"{rows.name} has a header ({columns}) and no rows. Add examples.")


def build_examples(rows: Rows, mapping: ColumnMapping) -> tuple[Dataset, tuple[str, ...]]:
    """Write the examples of `rows` to the cache of `datasets` and memory-map them.

    The same contents and settings are written only once. Memory use does not grow with the number of rows.

    Args:
        rows: The table.
        mapping: Which columns to use, and which flaws to accept.

    Returns:
        The examples, with the columns that `Task` describes; and notes on flawed rows.

    Raises:
        DataError: A row cannot be used (the message has its location), or there are no rows.
    """
    require_rows(rows)
    dtypes = {"sentence1": "string", "sentence2": "string", "label": LABEL_DTYPES[mapping.spec.kind]}
    dtypes |= {"index": "int64", "flaw": "int8"}
    features = Features({name: Value(kind) for name, kind in dtypes.items()})
    with without_bars():
        try:
            key = fingerprint(rows.key, mapping.key)
            table = cached_rows(partial(read_examples, rows, mapping), features, key)
        except DatasetGenerationError as error:
            raise underlying_error(error) from error
        kept, notes = _without_flaws(table, mapping) if mapping.tolerated else (table, [])
    if not kept.num_rows:
        raise DataError(f"{rows.name}: none of the {table.num_rows} rows can be used ({'; '.join(notes)}).")
    return kept.remove_columns("flaw"), tuple(f"{rows.name}: {note}" for note in notes)


def _without_flaws(table: Dataset, mapping: ColumnMapping) -> tuple[Dataset, list[str]]:
    """The rows to keep, and notes on the others."""
    flaws = np.asarray(table.select_columns("flaw").with_format("numpy")[:]["flaw"])
    counts = {flaw: int((flaws == code).sum()) for code, flaw in enumerate(_FLAWS) if flaw}
    action = "dropped" if mapping.drop else "kept"
    notes = [
        f"{action} {count} of {len(flaws)} rows {_FLAW_TEXT[flaw]}" for flaw, count in counts.items() if count
    ]
    return (table.select(np.flatnonzero(flaws == 0)) if notes and mapping.drop else table), notes
