"""Tables that can be read any number of times, one row at a time; each row knows its line for messages."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from datasets import ClassLabel, LargeList, List


class Row(NamedTuple):
    """One row of a table."""

    number: int
    """Line number in the file where the row starts, or row number; from 1. See `Rows.unit`."""

    fields: dict[str, str]
    """Column -> text. Columns that an incomplete row lacks are absent."""

    values: Mapping[str, Any] | None = None
    """Column -> value with its type in the file; None for formats without types."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A table that can be read any number of times."""

    name: str
    """Name of the table in messages, such as its path."""

    unit: Literal["line", "row"] = "line"
    """What `Row.number` counts."""

    fieldnames: tuple[str, ...]
    """Column names, in order."""

    key: str
    """Fingerprint of the contents."""

    read: Callable[[], Iterator[Row]] = field(repr=False)
    """Opens the table and yields its rows from the first one on."""

    notes: tuple[str, ...] = ()
    """What was inferred about the format, one sentence each."""

    hint: str = ""
    """What the user can do if these are not the columns that were expected; "" if there is nothing."""

    classes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(column, class names in order) of each column for which the file declares class names."""

    def location(self, number: int) -> str:
        """Location of a row for messages, such as "reviews.csv, line 7"."""
        return f"{self.name}, {self.unit} {number}"


def cell_text(value: Any) -> str:
    """A cell as text: strings unchanged, None as "", other values as JSON.

    Examples:
        >>> cell_text(None), cell_text("a"), cell_text(1.5), cell_text(True)
        ('', 'a', '1.5', 'true')
    """
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def nested(value: Any) -> str:
    """What a cell holds that is neither text nor number, such as "a list"; "" for other cells.

    Examples:
        >>> nested({"title": "a", "body": "b"}), nested(["a"]), nested("a")
        ('an object with the keys title, body', 'a list', '')
    """
    if isinstance(value, Mapping):
        return f"an object with the keys {', '.join(map(str, value)) or 'none'}"
    if isinstance(value, bytes | bytearray):
        return "bytes"
    return "a list" if isinstance(value, list | tuple) else ""


def table_rows(name: str, table: Iterable[dict[str, Any]], features: Mapping[str, Any], key: str) -> Rows:
    """The rows of a table of the `datasets` library.

    In columns of type `ClassLabel` class numbers become class names; -1 and None become "". So do the numbers
    in lists of `ClassLabel`.

    Args:
        name: Name of the table in messages.
        table: Rows as dictionaries; can be iterated any number of times.
        features: Column -> type, as `Dataset.features`.
        key: Fingerprint of the contents.
    """
    classes = {name: kind for name, kind in features.items() if isinstance(kind, ClassLabel)}
    lists = {
        name: kind.feature
        for name, kind in features.items()
        if isinstance(kind, List | LargeList) and isinstance(kind.feature, ClassLabel)
    }

    def read() -> Iterator[Row]:
        for number, values in enumerate(table, 1):
            for column, kind in classes.items():
                value = values[column]
                values[column] = "" if value is None or value < 0 else kind.int2str(value)
            for column, kind in lists.items():
                value = values[column]
                values[column] = None if value is None else [kind.int2str(one) for one in value]
            yield Row(number, {column: cell_text(value) for column, value in values.items()}, values)

    named = tuple((column, tuple(kind.names)) for column, kind in {**classes, **lists}.items())
    return Rows(name=name, unit="row", fieldnames=tuple(features), key=key, read=read, classes=named)
