"""Check the rows of a table and write them to disk as examples with the columns that every task has."""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
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
from lmdistill.data.tasks.label_inference import require_plain_text, require_single_label
from lmdistill.data.tasks.label_matching import normalized_name
from lmdistill.data.tasks.task_spec import TASKS, Kind, TaskSpec

log = logging.getLogger("lmdistill")

FORMAT = 2  # increase it when examples are written differently, so that older caches are not used

MOST_CHARACTERS = 1_000_000
"""Maximum length of a text; the rest is cut, since no model reads as many tokens."""

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
    """Names of one or two text columns, or of several that are joined."""

    join: str | None = None
    """What stands between the texts of several columns that are joined to one; None joins none."""

    label: str | None
    """Name of the label column; None for rows without labels."""

    aliases: tuple[tuple[str, str], ...] = ()
    """(text in the label column, label) of labels that the file writes in another way."""

    missing: frozenset[str] = frozenset()
    """Texts in the label column that stand for a missing label, besides blank ones."""

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
        question = (spec.kind, spec.labels, spec.score_range, spec.name in TASKS)
        columns = (self.texts, self.join, self.label, self.aliases, sorted(self.missing), self.index)
        return fingerprint(FORMAT, question, columns, self.tolerated)


class LabelNumbers:
    """Text of a label in a file -> class number, by the rule of `normalized_name`.

    Exact names come first: the labels of the task, what the file writes for them, and for GLUE tasks also
    their numbers. A text that fits several labels in another spelling fits none.
    """

    def __init__(self, mapping: ColumnMapping) -> None:
        spec = mapping.spec
        names = {name: number for number, name in enumerate(spec.labels)}
        numbers = {str(number): number for number in range(len(spec.labels))} if spec.name in TASKS else {}
        self._exact = {**numbers, **names, **{text: names[label] for text, label in mapping.aliases}}
        self._loose: dict[str, set[int]] = {}
        for text, number in self._exact.items():
            self._loose.setdefault(normalized_name(text), set()).add(number)

    def get(self, text: str) -> int | None:
        """The class number of a label; None if there is no such label."""
        if text not in self._exact:
            numbers = self._loose.get(normalized_name(text), set())
            if len(numbers) != 1:
                return None
            self._exact[text] = next(iter(numbers))
        return self._exact[text]


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


def _class(text: str, location: str, classes: LabelNumbers, spec: TaskSpec) -> int:
    """The class number of a label; an error if the task has no such label."""
    number = classes.get(text)
    if number is None:
        advice = "" if spec.name in TASKS else ", or name all labels in data.labels"
        raise DataError(
            f"{location}: the label {text!r} is unknown; known: {', '.join(spec.labels)}. "
            f"Correct the row{advice}."
        )
    return number


def texts_of(fields: Mapping[str, str], columns: Sequence[str], join: str | None) -> list[str]:
    """The one or two texts of a row; those of several columns are joined, without the blank ones.

    Args:
        fields: Column -> text of a row.
        columns: The text columns.
        join: What stands between joined texts; None joins none.

    Examples:
        >>> texts_of({"title": "A", "body": "b"}, ["title", "body"], ": ")
        ['A: b']
    """
    texts = [fields.get(column, "")[:MOST_CHARACTERS] for column in columns]
    if join is None:
        return texts
    return [join.join(text for text in texts if text.strip())[:MOST_CHARACTERS]]


def _flaw(row: Row, mapping: ColumnMapping) -> RowFlaw | None:
    """The first flaw of a row, or None; label names and scores are checked later."""
    used = (*mapping.texts, *((mapping.label,) if mapping.label else ()))
    if row.values is None and any(column not in row.fields for column in used):
        return "cut"  # in a typed row a column that is not there is an empty one
    if not all(text.strip() for text in texts_of(row.fields, mapping.texts, mapping.join)):
        return "empty"
    label = row.fields.get(mapping.label, "").strip() if mapping.label else None
    return "unlabelled" if label == "" or label in mapping.missing else None


def read_examples(rows: Rows, mapping: ColumnMapping) -> Iterator[dict[str, Any]]:
    """Read rows as examples, with two extra columns.

    `flaw` is 0, or 1 + the position in `RowFlaw`; `shortened` is whether a text was cut.

    Args:
        rows: The table.
        mapping: Which columns to use, and which flaws to accept.

    Raises:
        DataError: A row cannot be used; the message has its location.
    """
    spec, classes = mapping.spec, LabelNumbers(mapping)
    for position, row in enumerate(track(rows.read(), f"reading {rows.name}", unit="row")):
        location = rows.location(row.number)
        for column in mapping.texts:
            require_plain_text(row, column, location)
        if mapping.label:
            require_single_label(row, mapping.label, location)
        flaw = _flaw(row, mapping)
        if flaw is not None and flaw not in mapping.tolerated:
            raise DataError(_flaw_message(flaw, location, row, mapping))
        label = row.fields.get(mapping.label, "").strip() if mapping.label else ""
        number: float = -1
        if label and flaw not in ("cut", "unlabelled"):
            number = (
                _class(label, location, classes, spec)
                if spec.kind == "classification"
                else _score(label, location, spec)
            )
        texts = texts_of(row.fields, mapping.texts, mapping.join)
        yield {
            "sentence1": texts[0],
            "sentence2": texts[1] if len(texts) == 2 else "",
            "label": number,
            "index": _index(row, rows, mapping) if mapping.index else position,
            "flaw": _FLAWS.index(flaw),
            "shortened": any(len(row.fields.get(name, "")) > MOST_CHARACTERS for name in mapping.texts),
        }


def _index(row: Row, rows: Rows, mapping: ColumnMapping) -> int:
    """The official index of a row, >= 0."""
    text = row.fields.get(mapping.index or "", "")
    if not text.isdecimal() or len(text) > 18:
        raise DataError(
            f"{rows.location(row.number)}: {mapping.index} is {text!r}, where a whole number is needed. "
            "Correct the row."
        )
    return int(text)


def _flaw_message(flaw: RowFlaw, location: str, row: Row, mapping: ColumnMapping) -> str:
    """The error message for a row with a flaw that is not tolerated."""
    is_own = mapping.spec.name not in TASKS
    if flaw == "empty":
        column = next(column for column in mapping.texts if not row.fields.get(column, "").strip())
        advice = ", or set data.drop to [empty]" if is_own else ""
        return f"{location}: the text in {column!r} is empty. Fill it in or remove the row{advice}."
    if flaw == "unlabelled":
        label = row.fields.get(mapping.label or "", "").strip()
        found = f" ({label!r} stands for a missing one)" if label else ""
        advice = ", or set data.drop to [unlabelled]" if is_own else ""
        return (
            f"{location}: there is no label in {mapping.label!r}{found}. Fill it in or remove the "
            f"row{advice}."
        )
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
        The examples, with the columns that `Task` describes; and notes on flawed rows and cut texts.

    Raises:
        DataError: A row cannot be used (the message has its location), or there are no rows.
    """
    require_rows(rows)
    dtypes = {"sentence1": "string", "sentence2": "string", "label": LABEL_DTYPES[mapping.spec.kind]}
    dtypes |= {"index": "int64", "flaw": "int8", "shortened": "bool"}
    features = Features({name: Value(kind) for name, kind in dtypes.items()})
    with without_bars():
        try:
            table = Dataset.from_generator(
                partial(read_examples, rows, mapping),
                features=features,
                fingerprint=fingerprint(rows.key, mapping.key),
            )
        except DatasetGenerationError as error:
            raise underlying_error(error) from error
        kept, notes = _without_flaws(table, mapping) if mapping.tolerated else (table, [])
    if not kept.num_rows:
        raise DataError(f"{rows.name}: none of the {table.num_rows} rows can be used ({'; '.join(notes)}).")
    num_shortened = int(np.sum(kept.select_columns("shortened").with_format("numpy")[:]["shortened"]))
    if num_shortened:
        notes.append(f"cut {num_shortened} of {kept.num_rows} rows to {MOST_CHARACTERS:,} characters a text")
    return kept.remove_columns(["flaw", "shortened"]), tuple(f"{rows.name}: {note}" for note in notes)


def _without_flaws(table: Dataset, mapping: ColumnMapping) -> tuple[Dataset, list[str]]:
    """The rows to keep, and notes on the others."""
    flaws = np.asarray(table.select_columns("flaw").with_format("numpy")[:]["flaw"])
    counts = {flaw: int((flaws == code).sum()) for code, flaw in enumerate(_FLAWS) if flaw}
    action = "dropped" if mapping.drop else "kept"
    notes = [
        f"{action} {count} of {len(flaws)} rows {_FLAW_TEXT[flaw]}" for flaw, count in counts.items() if count
    ]
    return (table.select(np.flatnonzero(flaws == 0)) if notes and mapping.drop else table), notes
