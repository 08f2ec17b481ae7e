"""Check the rows of a table and write them to disk as examples with the columns that every task has."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from datasets import Dataset, Features, List, Value
from datasets.exceptions import DatasetGenerationError

from lmdistill.core.errors import DataError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.core.progress import track
from lmdistill.data.files.checked_cache import cached_rows
from lmdistill.data.files.dataset_errors import underlying_error
from lmdistill.data.files.progress_bars import without_bars
from lmdistill.data.files.table import Row, Rows
from lmdistill.data.tasks.label_inference import require_plain_text
from lmdistill.data.tasks.label_reading import LabelReader
from lmdistill.data.tasks.label_sets import LabelSetFormat
from lmdistill.data.tasks.task_spec import TASKS, Kind, TaskSpec

log = logging.getLogger("lmdistill")

FORMAT = 2  # increase it when examples are written differently, so that older caches are not used

MOST_CHARACTERS = 1_000_000
"""Maximum length of a text; the rest is cut, since no model reads as many tokens."""

LABEL_DTYPES: Mapping[Kind, str] = {"classification": "int64", "multilabel": "int8", "regression": "float64"}
"""Kind of task -> type of the label column, or of each of its numbers."""

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

    sets: LabelSetFormat | None = None
    """How the table writes several labels for a text; None if a text has one."""

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
        return fingerprint(FORMAT, question, columns, self.tolerated, *([self.sets] if self.sets else []))

    @property
    def label_columns(self) -> tuple[str, ...]:
        """The columns with labels; () for rows without."""
        if self.sets is not None:
            return self.sets.columns
        return () if self.label is None else (self.label,)

    def without_labels(self) -> "ColumnMapping":
        """The same for rows without labels."""
        return replace(self, label=None, sets=None)


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
    """The first flaw of a row apart from its label, or None."""
    used = (*mapping.texts, *mapping.label_columns)
    if row.values is None and any(column not in row.fields for column in used):
        return "cut"  # in a typed row a column that is not there is an empty one
    if not all(text.strip() for text in texts_of(row.fields, mapping.texts, mapping.join)):
        return "empty"
    return None


def read_examples(rows: Rows, mapping: ColumnMapping) -> Iterator[dict[str, Any]]:
    """Read rows as examples, with two extra columns.

    `flaw` is 0, or 1 + the position in `RowFlaw`; `shortened` is whether a text was cut.

    Args:
        rows: The table.
        mapping: Which columns to use, and which flaws to accept.

    Raises:
        DataError: A row cannot be used; the message has its location.
    """
    labels = LabelReader(
        mapping.spec, mapping.aliases, column=mapping.label, missing=mapping.missing, sets=mapping.sets
    )
    for position, row in enumerate(track(rows.read(), f"reading {rows.name}", unit="row")):
        location = rows.location(row.number)
        for column in mapping.texts:
            require_plain_text(row, column, location)
        flaw = _flaw(row, mapping)
        _require_tolerated(flaw, location, row, mapping)
        label = None if flaw == "cut" else labels.read(row, location)
        if flaw is None and label is None and mapping.label_columns:
            flaw = "unlabelled"
            _require_tolerated(flaw, location, row, mapping)
        texts = texts_of(row.fields, mapping.texts, mapping.join)
        yield {
            "sentence1": texts[0],
            "sentence2": texts[1] if len(texts) == 2 else "",
            "label": labels.none if label is None else label,
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


def _require_tolerated(flaw: RowFlaw | None, location: str, row: Row, mapping: ColumnMapping) -> None:
    """Refuse a row with a flaw that is not tolerated."""
    if flaw is not None and flaw not in mapping.tolerated:
        raise DataError(_flaw_message(flaw, location, row, mapping))


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
        none = "0 for each" if len(mapping.label_columns) > 1 else "[] for a text with none of the labels"
        fill = "Fill it in" if mapping.sets is None else f"Write {none}"
        where = " and ".join(map(repr, mapping.label_columns))
        return f"{location}: there is no label in {where}{found}. {fill} or remove the row{advice}."
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
    if mapping.spec.kind == "multilabel":
        features["label"] = List(features["label"], length=len(mapping.spec.labels))
    with without_bars():
        try:
            key = fingerprint(rows.key, mapping.key)
            table = cached_rows(partial(read_examples, rows, mapping), features, key)
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
