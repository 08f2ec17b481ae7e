"""Several labels for a text, as files write them: a list, a text with a separator, or columns of 0 and 1."""

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lmdistill.core.errors import DataError
from lmdistill.data.files.table import Row, Rows, cell_text, nested
from lmdistill.data.tasks.label_inference import MOST_CLASSES, NO_LABEL, require_plain_text

BITS: Mapping[str, bool] = {"0": False, "0.0": False, "false": False, "1": True, "1.0": True, "true": True}
"""Text of a column that says whether a text has a label, in lower case."""


@dataclass(frozen=True, kw_only=True)
class LabelSetFormat:
    """How a table writes the labels of a text."""

    columns: tuple[str, ...]
    """The column of lists, or one column of 0 and 1 for each label."""

    separator: str | None = None
    """What stands between labels that are one text, such as `";"`; None reads lists."""

    positions: tuple[str, ...] = ()
    """Names of the labels where a list has a number 0 or 1 for each of them; () for lists of labels."""

    def names(self, row: Row, location: str) -> tuple[str, ...] | None:
        """The labels of a row, as the file writes them; None if it says nothing about labels.

        Raises:
            DataError: A cell is neither, with its location.
        """
        if len(self.columns) > 1:
            return self._of_columns(row, location)
        (column,) = self.columns
        value = self._value(row, column, location)
        if value is None:
            return None
        names = tuple(cell_text(one).strip() for one in value)
        if any(nested(one) for one in value) or not all(names):
            wrong = next(one for one, name in zip(value, names, strict=True) if nested(one) or not name)
            raise DataError(
                f"{location}: {column!r} holds {wrong!r} in its list of labels. Write names, as in "
                '["a", "b"].'
            )
        return self._named(names, location) if self.positions else names

    def _value(self, row: Row, column: str, location: str) -> Sequence[Any] | None:
        """The list in a cell; None for an empty one."""
        value = (row.values or row.fields).get(column)
        if isinstance(value, list | tuple):
            return value
        text = row.fields.get(column, "").strip()
        if not text or text.casefold() in NO_LABEL:
            return None
        if nested(value):
            raise DataError(
                f"{location}: {column!r} holds {nested(value)}, where a list of labels is needed."
            )
        listed = list_in(text)
        if listed is not None:
            return listed
        if self.separator is None:
            raise DataError(
                f"{location}: {column!r} holds {text!r}, where a list of labels is needed. Write "
                f'["{text}"], or set data.label_separator to what stands between labels.'
            )
        return [part for part in map(str.strip, text.split(self.separator)) if part]

    def _named(self, numbers: tuple[str, ...], location: str) -> tuple[str, ...]:
        """The labels whose number is 1."""
        if len(numbers) != len(self.positions) or any(number.lower() not in BITS for number in numbers):
            raise DataError(
                f"{location}: {self.columns[0]!r} holds {', '.join(numbers)}, where {len(self.positions)} "
                f"numbers 0 or 1 are needed, one for each of {', '.join(self.positions)}."
            )
        return tuple(
            name for name, number in zip(self.positions, numbers, strict=True) if BITS[number.lower()]
        )

    def _of_columns(self, row: Row, location: str) -> tuple[str, ...] | None:
        """The columns that hold 1; None if all are blank."""
        cells = {column: row.fields.get(column, "").strip() for column in self.columns}
        if not any(text and text.casefold() not in NO_LABEL for text in cells.values()):
            return None
        for column, text in cells.items():
            if text.lower() not in BITS:
                raise DataError(
                    f"{location}: {column!r} is {text!r}, where 0 or 1 is needed: whether the text has this "
                    "label. Correct the row."
                )
        return tuple(column for column, text in cells.items() if BITS[text.lower()])


@dataclass(frozen=True, kw_only=True)
class LabelSetStatistics:
    """Statistics of the labels and texts of a table, from one pass over it."""

    num_rows: int
    """Number of rows that say which labels they have, or that they have none."""

    counts: Mapping[str, int]
    """Label -> number of rows, in order of appearance; at most `MOST_CLASSES` + 1 labels."""

    without: int
    """Number of rows that have none of the labels."""

    second_blank: bool
    """Whether the second text is empty in every row."""

    width: int | None
    """Length of the lists if all have the same and hold only 0 and 1, one of them twice; else None."""

    @property
    def values(self) -> tuple[str, ...]:
        """The different labels."""
        return tuple(self.counts)


def list_in(text: str) -> list[Any] | None:
    """The list that a text is, in the notation of JSON or of Python, as pandas writes it; None for another.

    Examples:
        >>> list_in('["a", "b"]'), list_in("['a']"), list_in("a")
        (['a', 'b'], ['a'], None)
    """
    if not (text.startswith("[") and text.endswith("]")):
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return found if isinstance(found, list) else None
    return None


def holds_lists(rows: Rows, column: str) -> bool:
    """Whether the first cell of a column that is not empty holds a list."""
    for row in rows.read():
        text = row.fields.get(column, "").strip()
        if text:
            return isinstance((row.values or {}).get(column), list | tuple) or list_in(text) is not None
    return False


def label_set_statistics(rows: Rows, texts: Sequence[str], form: LabelSetFormat) -> LabelSetStatistics:
    """Statistics of a table, from one pass over it; memory use does not grow with the number of rows.

    Raises:
        DataError: A cell of these columns cannot be read; the message has its location.
    """
    counts: dict[str, int] = {}
    num_rows, without, zeros, second_blank = 0, 0, 0, len(texts) == 2
    lengths: set[int] = set()
    are_bits, repeats = True, False
    for row in rows.read():
        location = rows.location(row.number)
        for column in texts:
            require_plain_text(row, column, location)
        second_blank = second_blank and not row.fields.get(texts[1], "").strip()
        names = form.names(row, location)
        if names is None:
            continue
        num_rows += 1
        without += not names
        zeros += not any(BITS.get(name.lower(), True) for name in names)
        lengths.add(len(names))
        are_bits = are_bits and all(name.lower() in BITS for name in names)
        repeats = repeats or len(set(names)) < len(names)
        for name in dict.fromkeys(names):
            if name in counts or len(counts) <= MOST_CLASSES:
                counts[name] = counts.get(name, 0) + 1
    is_vector = are_bits and repeats and len(lengths) == 1
    return LabelSetStatistics(
        num_rows=num_rows,
        counts=counts,
        without=zeros if is_vector else without,
        second_blank=second_blank,
        width=next(iter(lengths)) if is_vector else None,
    )
