"""Rows: a table that can be read any number of times, one row at a time, with places for messages."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from datasets import ClassLabel


class Row(NamedTuple):
    """One row and where it stands."""

    number: int
    """Line of the file, or row, on which it starts; both count from 1."""

    fields: dict[str, str]
    """Text by column; columns that a cut row lacks are absent."""

    values: Mapping[str, Any] | None = None
    """The same with the types of the file, where it has any."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A table that can be read any number of times."""

    name: str
    """What messages call it."""

    unit: Literal["line", "row"] = "line"
    """What `Row.number` counts."""

    fieldnames: tuple[str, ...]
    """Columns, in order."""

    key: str
    """Fingerprint of the contents."""

    read: Callable[[], Iterator[Row]] = field(repr=False)
    """Opens the table at its first row."""

    notes: tuple[str, ...] = ()
    """What was found out about the format."""

    classes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Columns whose file names their classes, with these names in order."""

    def location(self, number: int) -> str:
        """Where a row stands, for messages."""
        return f"{self.name}, {self.unit} {number}"


def cell_text(value: Any) -> str:
    """A cell as text: strings as they are, None as "", other values as JSON writes them.

    Examples:
        >>> cell_text(None), cell_text("a"), cell_text(1.5), cell_text(True)
        ('', 'a', '1.5', 'true')
    """
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def table_rows(name: str, table: Iterable[dict[str, Any]], features: Mapping[str, Any], key: str) -> Rows:
    """Rows of a table that `datasets` reads; class numbers become names, -1 and None become "".

    Args:
        name: What messages call it.
        table: Iterable any number of times.
        features: Type by column.
        key: Fingerprint of the contents.
    """
    classes = {name: kind for name, kind in features.items() if isinstance(kind, ClassLabel)}

    def read() -> Iterator[Row]:
        for number, values in enumerate(table, 1):
            for column, kind in classes.items():
                value = values[column]
                values[column] = "" if value is None or value < 0 else kind.int2str(value)
            yield Row(number, {column: cell_text(value) for column, value in values.items()}, values)

    named = tuple((column, tuple(kind.names)) for column, kind in classes.items())
    return Rows(name=name, unit="row", fieldnames=tuple(features), key=key, read=read, classes=named)
