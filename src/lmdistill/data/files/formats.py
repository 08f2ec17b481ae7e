"""Formats: the rows of a file as its suffix names it: CSV, TSV, JSON lines, Parquet, gzip'd or not."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datasets import load_dataset

from lmdistill.core.errors import DataError
from lmdistill.core.fingerprint import file_fingerprint
from lmdistill.data.files.csv_tsv import csv_rows, require_header, tsv_rows
from lmdistill.data.files.table import Row, Rows, cell_text, table_rows
from lmdistill.data.files.text import open_text, require_file

SUFFIXES = (".csv", ".tsv", ".jsonl", ".json", ".ndjson", ".parquet")


def json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
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


def _json_rows(path: Path) -> Rows:
    """Rows of a JSON lines file; the first object names the columns."""
    header = tuple(next(json_lines(path), (0, {}))[1])
    require_header(path, header)

    def read() -> Iterator[Row]:
        for number, value in json_lines(path):
            if set(value) != set(header):
                odd = sorted(set(header) ^ set(value))[0]
                state = "misses" if odd in header else "adds"
                raise DataError(
                    f"{path}, line {number}: the object {state} {odd!r}; the first one has "
                    f"{', '.join(header)}. Give all objects the same keys."
                )
            yield Row(number, {name: cell_text(value[name]) for name in header}, value)

    return Rows(name=str(path), fieldnames=header, key=file_fingerprint(path), read=read)


def _parquet_rows(path: Path) -> Rows:
    """Rows of a Parquet file."""
    try:
        table = load_dataset("parquet", data_files=str(path), split="train", streaming=True)
        features = table.features or {}
    except Exception as error:  # the reader's errors have no common parent
        raise DataError(
            f"{path} cannot be read as Parquet ({_first_line(error)}). Write it again."
        ) from error
    return table_rows(str(path), table, features, file_fingerprint(path))


def _first_line(error: Exception) -> str:
    """The first line of a foreign message, or its type."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def suffix_of(path: Path) -> str:
    """Suffix in lower case without `.gz`.

    Examples:
        >>> suffix_of(Path("reviews.CSV.gz"))
        '.csv'
    """
    return (path.with_suffix("") if path.suffix.lower() == ".gz" else path).suffix.lower()


def open_rows(path: Path) -> Rows:
    """Rows of a file in the format that its suffix names.

    CSV is read with the usual quoting (texts may hold commas, quotes and newlines); TSV with quoting where
    the quotes enclose whole fields, else line by line. Memory stays constant.

    Raises:
        DataError: The file is missing or empty, has an unknown suffix, or no or a double header.
    """
    require_file(path)
    suffix = suffix_of(path)
    if suffix not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise DataError(
            f"{path}: {suffix or 'no suffix'!r} names no format that can be read. Save it as one of: {known}."
        )
    if suffix == ".parquet":
        return _parquet_rows(path)
    return {".csv": csv_rows, ".tsv": tsv_rows}.get(suffix, _json_rows)(path)


def read_rows(path: str | Path) -> Iterator[dict[str, str]]:
    """Rows of a file in their order, text by column; for files of any length."""
    return (row.fields for row in open_rows(Path(path)).read())
