"""Formats: the rows of a file as its suffix names it: CSV, TSV, JSON lines, Parquet, gzip'd or not."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from datasets import load_dataset

from lmdistill.core.errors import DataError, first_line
from lmdistill.core.fingerprint import file_fingerprint
from lmdistill.data.files.csv_tsv import csv_rows, require_header, tsv_rows
from lmdistill.data.files.table import Row, Rows, cell_text, table_rows
from lmdistill.data.files.text import open_text, require_file

JSON_SUFFIXES = (".jsonl", ".json", ".ndjson")
SUFFIXES = (".csv", ".tsv", *JSON_SUFFIXES, ".parquet")

JsonObjects = Iterator[tuple[int, dict[str, Any]]]
"""Objects of a file, each with its line, or with its row in a JSON list, from 1."""


def _json_lines(path: Path) -> JsonObjects:
    """Objects of a JSON lines file, with line numbers."""
    with open_text(path, newline="\n") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue  # JSON lines allow blank lines; they hold no row
            try:
                value = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(
                    f"{path}, line {number}: not JSON ({error}). Write one object a line."
                ) from error
            if not isinstance(value, dict):
                raise DataError(
                    f"{path}, line {number}: a JSON {type(value).__name__} where an object is needed. "
                    'Write one object a line, like {"text": "...", "label": "..."}.'
                )
            yield number, value


def _json_list(path: Path) -> JsonObjects:
    """Objects of a file that is one JSON list, with row numbers from 1."""
    with open_text(path) as file:
        text = file.read()
    try:
        values: Iterable[Any] = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}, line {error.lineno}: not JSON ({error.msg}). Mend the list, or write one object a line."
        ) from error
    for number, value in enumerate(values, 1):
        if not isinstance(value, dict):
            raise DataError(
                f"{path}, row {number}: a JSON {type(value).__name__} where an object is needed. "
                'Write a list of objects like {"prompt": "...", "completion": "..."}.'
            )
        yield number, value


def _is_list(path: Path) -> bool:
    """Whether the first character that is no blank opens a list."""
    with open_text(path) as file:
        return next((line.lstrip()[0] for line in file if line.strip()), "") == "["


def _row(number: int, value: dict[str, Any], columns: Iterable[str]) -> Row:
    """An object as a row."""
    return Row(number, {name: cell_text(value[name]) for name in columns}, value)


def _rows_of_same_keys(path: Path) -> Rows:
    """Rows of a JSON lines file whose objects all have the keys of the first, which name the columns."""
    header = tuple(next(_json_lines(path), (0, {}))[1])
    require_header(path, header)

    def read() -> Iterator[Row]:
        for number, value in _json_lines(path):
            if set(value) != set(header):
                odd = sorted(set(header) ^ set(value))[0]
                state = "misses" if odd in header else "adds"
                raise DataError(
                    f"{path}, line {number}: the object {state} {odd!r}; the first one has "
                    f"{', '.join(header)}. Give all objects the same keys."
                )
            yield _row(number, value, header)

    return Rows(name=str(path), fieldnames=header, key=file_fingerprint(path), read=read)


def _rows_of_any_keys(path: Path) -> Rows:
    """Rows of JSON lines or of a JSON list; the columns are all keys that occur."""
    listed = _is_list(path)

    def read() -> Iterator[Row]:
        objects = _json_list(path) if listed else _json_lines(path)
        return (_row(number, value, value) for number, value in objects)

    columns = tuple(dict.fromkeys(key for row in read() for key in row.fields))
    if not columns:
        raise DataError(f"{path} holds no rows. Write objects with keys, like prompt and completion.")
    unit: Literal["row", "line"] = "row" if listed else "line"
    return Rows(name=str(path), unit=unit, fieldnames=columns, key=file_fingerprint(path), read=read)


def _parquet_rows(path: Path) -> Rows:
    """Rows of a Parquet file."""
    try:
        table = load_dataset("parquet", data_files=str(path), split="train", streaming=True)
        features = table.features or {}
    except Exception as error:  # the reader's errors have no common parent
        raise DataError(f"{path} cannot be read as Parquet ({first_line(error)}). Write it again.") from error
    return table_rows(str(path), table, features, file_fingerprint(path))


def suffix_of(path: Path) -> str:
    """Suffix in lower case without `.gz`.

    Examples:
        >>> suffix_of(Path("reviews.CSV.gz"))
        '.csv'
    """
    return (path.with_suffix("") if path.suffix.lower() == ".gz" else path).suffix.lower()


def open_rows(path: Path, *, same_keys: bool = True) -> Rows:
    """Rows of a file in the format that its suffix names.

    CSV is read with the usual quoting (texts may hold commas, quotes and newlines); TSV with quoting where
    the quotes enclose whole fields, else line by line. Memory stays constant, but for a JSON list.

    Args:
        path: A CSV, TSV, JSON or Parquet file, or its `.gz`.
        same_keys: Whether a JSON file must be JSON lines whose objects all have the keys of the first one.
            False also takes a JSON list, and objects with different keys: the columns are all that occur,
            and a row that lacks one has no such field.

    Raises:
        DataError: The file is missing or empty, has an unknown suffix, no header or one with a column twice,
            or broken JSON.
    """
    require_file(path)
    suffix = suffix_of(path)
    if suffix not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise DataError(
            f"{path}: {suffix or 'no suffix'!r} names no format that can be read. Save it as one of: {known}."
        )
    if suffix in JSON_SUFFIXES:
        return _rows_of_same_keys(path) if same_keys else _rows_of_any_keys(path)
    return {".csv": csv_rows, ".tsv": tsv_rows, ".parquet": _parquet_rows}[suffix](path)


def read_rows(path: str | Path) -> Iterator[dict[str, str]]:
    """Rows of a file in their order, text by column; for files of any length."""
    return (row.fields for row in open_rows(Path(path)).read())
