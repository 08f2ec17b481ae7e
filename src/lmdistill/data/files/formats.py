"""Formats: the rows of a file as its suffix names it: CSV, TSV, JSON lines, Parquet, gzip'd or not."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, TextIO

from datasets import load_dataset

from lmdistill.core.errors import ConfigError, DataError, first_line
from lmdistill.core.fingerprint import file_fingerprint, fingerprint
from lmdistill.data.files.csv_tsv import delimited_rows, encoding_notes, require_header
from lmdistill.data.files.table import Row, Rows, cell_text, table_rows
from lmdistill.data.files.table_format import ENCODING_ADVICE, TableFormat
from lmdistill.data.files.text import open_text, require_file

JSON_SUFFIXES = (".jsonl", ".json", ".ndjson")
DELIMITED_SUFFIXES = (".csv", ".tsv")
SUFFIXES = (*DELIMITED_SUFFIXES, *JSON_SUFFIXES, ".parquet")

JsonObjects = Iterator[tuple[int, dict[str, Any]]]
"""Objects of a file, each with its line, or with its row in a JSON list, from 1."""

Open = Callable[[str], AbstractContextManager[TextIO]]
"""Opens a file; its argument is `newline` of `open`."""


def _parsed(text: str, path: Path, first: int, advice: str) -> Any:
    """The value of a JSON text that begins in line `first`; what cannot be used is refused with its line."""
    try:
        value = json.loads(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}, line {first + error.lineno - 1}: not JSON ({error.msg}: column {error.colno}). {advice}"
        ) from error
    except RecursionError:
        raise _too_deep(path, first) from None
    except UnicodeEncodeError as error:
        raise DataError(
            f"{path}, line {first}: a text has \\u{ord(error.object[error.start]):04x}, which is half of a "
            "character. Write the character whole, or leave it out."
        ) from None
    except ValueError:  # Python reads at most 4300 digits
        raise DataError(
            f"{path}, line {first}: a number has more digits than can be read. Put it in quotes."
        ) from None
    return value


def _json_lines(path: Path, opened: Open) -> JsonObjects:
    """Objects of a JSON lines file, with line numbers."""
    with opened("\n") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue  # JSON lines allow blank lines; they hold no row
            value = _parsed(line.strip(), path, number, "Write one object a line.")
            if not isinstance(value, dict):
                raise DataError(
                    f"{path}, line {number}: a JSON {type(value).__name__} where an object is needed. "
                    'Write one object a line, like {"text": "...", "label": "..."}.'
                )
            yield number, value


def _json_list(path: Path, opened: Open) -> JsonObjects:
    """Objects of a file that is one JSON list, with row numbers from 1."""
    with opened("") as file:
        text = file.read()
    advice = "Mend the list, or write one object a line."
    values: Iterable[Any] = _parsed(text, path, 1, advice)
    for number, value in enumerate(values, 1):
        if not isinstance(value, dict):
            raise DataError(
                f"{path}, row {number}: a JSON {type(value).__name__} where an object is needed. "
                'Write a list of objects like {"prompt": "...", "completion": "..."}.'
            )
        yield number, value


def _is_list(opened: Open) -> bool:
    """Whether the first character that is no blank opens a list."""
    with opened("") as file:
        return next((line.lstrip()[0] for line in file if line.strip()), "") == "["


def _row(path: Path, number: int, value: dict[str, Any], columns: Iterable[str]) -> Row:
    """An object as a row."""
    try:
        return Row(number, {name: cell_text(value[name]) for name in columns}, value)
    except RecursionError:
        raise _too_deep(path, number) from None


def _too_deep(path: Path, number: int) -> DataError:
    """The error for lists and objects inside each other that exhaust the stack."""
    return DataError(
        f"{path}, line {number}: the JSON is nested too deeply to be read. Write its texts into columns."
    )


def _rows_of_same_keys(path: Path, opened: Open) -> Rows:
    """Rows of a JSON lines file whose objects all have the keys of the first, which name the columns."""
    header = tuple(next(_json_lines(path, opened), (0, {}))[1])
    require_header(path, header)

    def read() -> Iterator[Row]:
        for number, value in _json_lines(path, opened):
            if set(value) != set(header):
                odd = sorted(set(header) ^ set(value))[0]
                state = "misses" if odd in header else "adds"
                raise DataError(
                    f"{path}, line {number}: the object {state} {odd!r}; the first one has "
                    f"{', '.join(header)}. Give all objects the same keys."
                )
            yield _row(path, number, value, header)

    return Rows(name=str(path), fieldnames=header, key=file_fingerprint(path), read=read)


def _rows_of_any_keys(path: Path, opened: Open) -> Rows:
    """Rows of JSON lines or of a JSON list; the columns are all keys that occur."""
    listed = _is_list(opened)

    def objects() -> JsonObjects:
        return _json_list(path, opened) if listed else _json_lines(path, opened)

    def read() -> Iterator[Row]:
        return (_row(path, number, value, value) for number, value in objects())

    columns = tuple(dict.fromkeys(key for _, value in objects() for key in value))
    if not columns:
        raise DataError(f"{path} holds no rows. Write objects with keys, like prompt and completion.")
    unit: Literal["row", "line"] = "row" if listed else "line"
    return Rows(name=str(path), unit=unit, fieldnames=columns, key=file_fingerprint(path), read=read)


def _json_rows(path: Path, form: TableFormat | None, same_keys: bool) -> Rows:
    """Rows of a JSON file in the encoding of `form`."""
    chosen = form or TableFormat()
    opened = partial(open_text, path, encoding=chosen.encoding, advice=ENCODING_ADVICE if form else "")
    rows = _rows_of_same_keys(path, opened) if same_keys else _rows_of_any_keys(path, opened)
    if chosen.encoding is None:
        return rows
    return replace(
        rows, key=fingerprint(rows.key, chosen.encoding), notes=tuple(encoding_notes(path, chosen))
    )


def _unreadable(path: Path, error: Exception) -> DataError:
    """The error for a file that the reader of Parquet refuses."""
    return DataError(f"{path} cannot be read as Parquet ({first_line(error)}). Write it again.")


def _parquet_rows(path: Path) -> Rows:
    """Rows of a Parquet file."""
    try:
        table = load_dataset("parquet", data_files=str(path), split="train", streaming=True)
        features = table.features or {}
    except Exception as error:  # the reader's errors have no common parent
        raise _unreadable(path, error) from error
    if not features:
        raise DataError(f"{path} has no rows, or no columns. Add examples.")
    rows = table_rows(str(path), table, features, file_fingerprint(path))

    def read() -> Iterator[Row]:
        try:
            yield from rows.read()
        except Exception as error:  # a damaged page, a text that is not UTF-8
            raise _unreadable(path, error) from error

    return replace(rows, read=read)


def suffix_of(path: Path) -> str:
    """Suffix in lower case without `.gz`.

    Examples:
        >>> suffix_of(Path("reviews.CSV.gz"))
        '.csv'
    """
    return (path.with_suffix("") if path.suffix.lower() == ".gz" else path).suffix.lower()


def open_rows(path: Path, form: TableFormat | None = None, *, same_keys: bool = True) -> Rows:
    """Rows of a file in the format that its suffix names.

    CSV is read with the usual quoting (texts may hold commas, quotes and newlines); TSV with quoting where
    the quotes enclose whole fields, else line by line. Memory stays constant, but for a JSON list.

    Args:
        path: A CSV, TSV, JSON or Parquet file, or its `.gz`.
        form: Encoding, delimiter, quotes and header, as far as they are known; None infers them all, and
            error messages then do not advise to set them.
        same_keys: Whether a JSON file must be JSON lines whose objects all have the keys of the first one.
            False also takes a JSON list, and objects with different keys: the columns are all that occur,
            and a row that lacks one has no such field.

    Raises:
        DataError: The file is missing or empty, has an unknown suffix or no header, or broken JSON.
        ConfigError: `form` has settings that do not apply to this format.
    """
    require_file(path)
    suffix = suffix_of(path)
    if suffix not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise DataError(
            f"{path}: {suffix or 'no suffix'!r} names no format that can be read. Save it as one of: {known}."
        )
    if suffix in DELIMITED_SUFFIXES:
        return delimited_rows(path, form, tabs=suffix == ".tsv")
    if form is not None and form.has_columns:
        raise ConfigError(
            f"{path} is no CSV or TSV file, so data.delimiter, data.quote and data.header have no effect. "
            "Leave them out."
        )
    if suffix in JSON_SUFFIXES:
        return _json_rows(path, form, same_keys)
    if form is not None and form.encoding is not None:
        raise ConfigError(f"{path} is a Parquet file, so data.encoding has no effect. Leave it out.")
    return _parquet_rows(path)


def read_rows(path: str | Path) -> Iterator[dict[str, str]]:
    """Rows of a file in their order, text by column; for files of any length."""
    return (row.fields for row in open_rows(Path(path)).read())
