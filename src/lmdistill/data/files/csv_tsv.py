"""CSV and TSV files as rows: with the usual quoting, or line by line without any."""

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
"""Opens a file at its first line: fields with line numbers."""

_QUOTED = re.compile(r'"(?:[^"]|"")*"')


def _fitted(place: str, header: tuple[str, ...], fields: list[str], ragged: bool) -> dict[str, str]:
    """A row by column; one of another length is refused, or cut when `ragged`."""
    if len(fields) != len(header) and not ragged:
        few = "few" if len(fields) < len(header) else "many"
        raise DataError(
            f"{place}: too {few} fields, {len(fields)} where the header has {len(header)} "
            f"({', '.join(header)}). Mend the row."
        )
    return dict(zip(header, fields, strict=False))


def _without_blanks(path: Path, numbered: Iterable[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    """Rows without the blank lines at the end; a blank line elsewhere is refused."""
    blank = 0
    for number, fields in numbered:
        if not fields or fields == [""]:
            blank = blank or number
        elif blank:
            raise DataError(f"{path}, line {blank}: the line is empty. Remove it, or give it a text.")
        else:
            yield number, fields


def _split_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Fields of a TSV file without quoting, with line numbers."""
    with open_text(path, newline="\n") as file:
        for number, line in enumerate(file, 1):
            yield number, line.rstrip("\r\n").split("\t")


def _csv_lines(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Fields of a file with quoting, with the number of the line on which each row starts."""
    csv.field_size_limit(2**31 - 1)  # texts may be longer than csv's default of 128 kB
    with open_text(path) as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        start = 1
        try:
            for fields in reader:
                yield start, fields
                start = reader.line_num + 1
        except csv.Error as error:
            raise DataError(
                f"{path}, line {start}: {error}. A text with quotes, {delimiter!r} or newlines must stand "
                'in double quotes, and quotes inside it must be doubled ("").'
            ) from error


def _table(
    path: Path, lines: Lines, quoting: str, header: tuple[str, ...] = (), ragged: bool = False
) -> Rows:
    """Rows of a delimited file; its first line is the header unless one is given."""
    given = bool(header)
    if not given:
        names = next(iter(lines()), (0, []))[1]
        header = tuple(name.strip() for name in names)
        require_header(path, header)

    def read() -> Iterator[Row]:
        for number, fields in itertools.islice(_without_blanks(path, lines()), 0 if given else 1, None):
            yield Row(number, _fitted(f"{path}, line {number}", header, fields, ragged))

    key = fingerprint(file_fingerprint(path), quoting, header, ragged)
    return Rows(name=str(path), fieldnames=header, key=key, read=read)


def require_header(path: Path, header: tuple[str, ...]) -> None:
    """Refuse a file without a header, or with a column twice."""
    if not any(header):
        raise DataError(f"{path} is empty. It needs a header line with the column names, then rows.")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(
            f"{path}, line 1: the column {twice[0]!r} appears twice. Give every column its own name."
        )


def unquoted_tsv_rows(path: Path, *, header: tuple[str, ...] = (), ragged: bool = False) -> Rows:
    """Rows of a TSV file without quoting: every line is a row, quotes are part of the text.

    Args:
        path: A `.tsv` file or its `.gz`.
        header: Column names of a file without a header line; () reads the first line.
        ragged: Let rows with another number of fields through, without the columns they lack.
    """
    require_file(path)
    return _table(path, partial(_split_lines, path), "none", header, ragged)


def _tsv_is_quoted(path: Path) -> bool:
    """Whether quotes in a TSV file enclose texts (as CSV writers do) or are part of them.

    They enclose when each field that holds a quote is wholly quoted, or when some rows need it, since
    their lines do not have as many fields as the header.
    """
    width, uneven, quotes, stray = 0, False, False, False
    for _, fields in _split_lines(path):
        width = width or len(fields)
        uneven |= len(fields) != width and fields != [""]
        for text in fields:
            if '"' in text:
                quotes = True
                stray |= not _QUOTED.fullmatch(text)
    return quotes and (uneven or not stray)


def _delimiter(path: Path) -> str:
    """What separates the columns of a CSV file, from its header line: a comma, or else ; or a tab."""
    with open_text(path) as file:
        header = file.readline()
    return next((mark for mark in ",;\t" if mark in header), ",")


def csv_rows(path: Path) -> Rows:
    """Rows of a CSV file."""
    delimiter = _delimiter(path)
    rows = _table(path, partial(_csv_lines, path, delimiter), delimiter)
    note = f"columns are separated by {delimiter!r} in {path.name}"
    return rows if delimiter == "," else replace(rows, notes=(note,))


def tsv_rows(path: Path) -> Rows:
    """Rows of a TSV file of unknown make."""
    if not _tsv_is_quoted(path):
        return unquoted_tsv_rows(path)
    rows = _table(path, partial(_csv_lines, path, "\t"), "\t")
    return replace(rows, notes=(f"double quotes enclose texts in {path.name}",))
