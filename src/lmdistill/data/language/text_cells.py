"""Cells of a row that must be text: a list, an object or a number never becomes text by itself."""

from typing import Any

from lmdistill.core.errors import DataError
from lmdistill.data.files.table import Row


def cell_value(row: Row, column: str) -> Any:
    """The cell with its type in the file; text for formats without types, None if the row lacks it."""
    return (row.fields if row.values is None else row.values).get(column)


def text_cell(row: Row, column: str, location: str) -> str:
    """The text of a cell; "" if it is empty or the row lacks it.

    Args:
        row: The row.
        column: Name of the column.
        location: Location of the row, for error messages.

    Raises:
        DataError: The cell is no text, or holds half of a character (a lone surrogate).
    """
    value = cell_value(row, column)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DataError(
            f"{location}: {column!r} holds {_kind(value)} where text is needed. Write it as text, or remove "
            "the row."
        )
    return require_characters(value, column, location)


def require_characters(text: str, column: str, location: str) -> str:
    """The text itself, if it can be stored.

    Raises:
        DataError: It holds half of a character (a lone surrogate), which no tokenizer can read.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{location}: {column!r} holds half of a character ({ascii(text[error.start])[1:-1]}, a lone "
            f"surrogate) at position {error.start}. Write the whole character, or remove it."
        ) from None
    return text


def _kind(value: Any) -> str:
    """What a value is, in words."""
    if isinstance(value, dict):
        return f"an object with the keys {', '.join(map(str, value)) or '(none)'}"[:80]
    if isinstance(value, bool):
        return f"the value {str(value).lower()}"
    return f"the number {str(value)[:20]}" if isinstance(value, int | float) else f"a {type(value).__name__}"
