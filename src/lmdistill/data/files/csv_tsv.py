"""Reading of CSV and TSV files, with the usual quoting or without any."""

import csv
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from lmdistill.core.errors import DataError
from lmdistill.core.fingerprint import file_fingerprint, fingerprint
from lmdistill.data.files.table import Row, Rows
from lmdistill.data.files.text import open_text, require_file

Lines = Callable[[], Iterator[tuple[int, list[str]]]]
"""Opens the file and yields (line number, fields) of each line; can be called any number of times."""

_QUOTED = re.compile(r'"(?:[^"]|"")*"')


def _row_by_column(location: str, header: tuple[str, ...], fields: list[str], ragged: bool) -> dict[str, str]:
    """One row as column -> text. A row with a wrong number of fields is an error, unless `ragged`."""
    if len(fields) != len(header) and not ragged:
        adjective = "few" if len(fields) < len(header) else "many"
        raise DataError(
            f"{location}: too {adjective} fields, {len(fields)} where the header has {len(header)} "
            f"({', '.join(header)}). Correct the row."
        )
    return dict(zip(header, fields, strict=False))


def _without_trailing_blank_lines(
    path: Path, numbered: Iterable[tuple[int, list[str]]]
) -> Iterator[tuple[int, list[str]]]:
    """The lines without blank lines at the end of the file; a blank line elsewhere is an error."""
    first_blank_line = 0
    for number, fields in numbered:
        if not fields or fields == [""]:
            first_blank_line = first_blank_line or number
        elif first_blank_line:
            raise DataError(f"{path}, line {first_blank_line}: the line is empty. Remove it, or fill it in.")
        else:
            yield number, fields


def _unquoted_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line number, fields) of a TSV file without quoting."""
    with open_text(path, newline="\n") as file:
        for number, line in enumerate(file, 1):
            yield number, line.rstrip("\r\n").split("\t")


def _csv_lines(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(line number, fields) of a file with quoting; the number is that of the row's first line."""
    csv.field_size_limit(2**31 - 1)  # texts may be longer than the csv module's default limit of 128 kB
    with open_text(path) as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        start = 1
        try:
            for fields in reader:
                yield start, fields
                start = reader.line_num + 1
        except csv.Error as error:
            raise DataError(
                f"{path}, line {start}: {error}. Put a text with quotes, {delimiter!r} or newlines in "
                'double quotes, and double the quotes inside it ("").'
            ) from error


def _table(
    path: Path, lines: Lines, quoting: str, header: tuple[str, ...] = (), ragged: bool = False
) -> Rows:
    """The rows of a delimited file; its first line is the header unless `header` is given."""
    has_given_header = bool(header)
    if not has_given_header:
        names = next(iter(lines()), (0, []))[1]
        header = tuple(name.strip() for name in names)
        require_header(path, header)

    def read() -> Iterator[Row]:
        for number, fields in itertools.islice(
            _without_trailing_blank_lines(path, lines()), 0 if has_given_header else 1, None
        ):
            yield Row(number, _row_by_column(f"{path}, line {number}", header, fields, ragged))

    key = fingerprint(file_fingerprint(path), quoting, header, ragged)
    return Rows(name=str(path), fieldnames=header, key=key, read=read)


def require_header(path: Path, header: tuple[str, ...]) -> None:
    """Check that a table has column names and that no name occurs twice.

    Raises:
        DataError: The file is empty, or a column name occurs twice.
    """
    if not any(header):
        raise DataError(f"{path} is empty. It needs a header line with the column names, then rows.")
    duplicates = sorted({name for name in header if header.count(name) > 1})
    if duplicates:
        raise DataError(
            f"{path}, line 1: the column {duplicates[0]!r} appears twice. Give every column its own name."
        )


def unquoted_tsv_rows(path: Path, *, header: tuple[str, ...] = (), ragged: bool = False) -> Rows:
    """The rows of a TSV file without quoting: every line is a row, and quotes are part of the text.

    Args:
        path: A `.tsv` file or its `.gz`.
        header: Column names of a file without a header line; () takes them from the first line.
        ragged: Accept rows with a wrong number of fields. A short row lacks its last columns; the extra
            fields of a long row are dropped.

    Raises:
        DataError: The file is missing or empty, a column name occurs twice, or (while reading) a row has a
            wrong number of fields.
    """
    require_file(path)
    return _table(path, partial(_unquoted_lines, path), "none", header, ragged)


def _tsv_is_quoted(path: Path) -> bool:
    """Whether double quotes in a TSV file enclose fields, as CSV writers do, or are part of the text.

    They enclose fields if every field with a quote is completely quoted, or if some lines do not have as
    many fields as the header, which happens when a quoted field contains tabs or newlines.
    """
    num_columns, has_uneven_rows, has_quotes, has_partly_quoted_field = 0, False, False, False
    for _, fields in _unquoted_lines(path):
        num_columns = num_columns or len(fields)
        has_uneven_rows |= len(fields) != num_columns and fields != [""]
        for text in fields:
            if '"' in text:
                has_quotes = True
                has_partly_quoted_field |= not _QUOTED.fullmatch(text)
    return has_quotes and (has_uneven_rows or not has_partly_quoted_field)


def _delimiter(path: Path) -> str:
    """The delimiter of a CSV file, inferred from its header line: a comma if it has one, else ; or a tab."""
    with open_text(path) as file:
        header = file.readline()
    return next((delimiter for delimiter in ",;\t" if delimiter in header), ",")


def csv_rows(path: Path) -> Rows:
    """The rows of a CSV file; the delimiter (comma, semicolon or tab) is inferred from the header.

    Raises:
        DataError: The file is empty, a column name occurs twice, or (while reading) a row is not valid CSV.
    """
    delimiter = _delimiter(path)
    rows = _table(path, partial(_csv_lines, path, delimiter), delimiter)
    note_text = f"columns are separated by {delimiter!r} in {path.name}"
    return rows if delimiter == "," else replace(rows, notes=(note_text,))


def tsv_rows(path: Path) -> Rows:
    """The rows of a TSV file; whether it uses quoting is inferred from the whole file.

    Raises:
        DataError: The file is empty, a column name occurs twice, or (while reading) a row is not valid.
    """
    if not _tsv_is_quoted(path):
        return unquoted_tsv_rows(path)
    rows = _table(path, partial(_csv_lines, path, "\t"), "\t")
    return replace(rows, notes=(f"double quotes enclose texts in {path.name}",))
