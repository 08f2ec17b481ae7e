"""Reading of CSV and TSV files, with quotes around texts or without any."""

import csv
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TextIO

from lmdistill.core.errors import DataError
from lmdistill.core.fingerprint import file_fingerprint, fingerprint
from lmdistill.data.files.table import Row, Rows
from lmdistill.data.files.table_format import COLUMNS_ADVICE, ENCODING_ADVICE, TableFormat
from lmdistill.data.files.text import is_utf8, open_text, require_file

Lines = Callable[[], Iterator[tuple[int, list[str]]]]
"""Opens the file and yields (line number, fields) of each line; can be called any number of times."""

Open = Callable[[str], AbstractContextManager[TextIO]]
"""Opens the file; its argument is `newline` of `open`."""

NAMELESS = "unnamed column "
"""Beginning of the names of columns that have none, if there are several; their number follows."""


def _row_by_column(location: str, header: tuple[str, ...], fields: list[str], ragged: bool) -> dict[str, str]:
    """One row as column -> text.

    A row with a wrong number of fields is an error, unless `ragged`, or unless only empty fields are too many
    and only columns without a name are missing.
    """
    more, lacking = fields[len(header) :], header[len(fields) :]
    harmless = not any(more) and all(not name or name.startswith(NAMELESS) for name in lacking)
    if len(fields) != len(header) and not ragged and not harmless:
        adjective = "few" if lacking else "many"
        raise DataError(
            f"{location}: too {adjective} fields, {len(fields)} where the header has {len(header)} "
            f"({', '.join(header)}). Correct the row."
        )
    row = dict(zip(header, fields, strict=False))
    return row if ragged else {**row, **dict.fromkeys(lacking, "")}


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


def _unquoted_lines(opened: Open, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(line number, fields) of a file without quoting."""
    with opened("\n") as file:
        for number, line in enumerate(file, 1):
            yield number, line.rstrip("\r\n").split(delimiter)


def _quoted_lines(path: Path, opened: Open, delimiter: str, quote: str) -> Iterator[tuple[int, list[str]]]:
    """(line number, fields) of a file with quoting; the number is that of the row's first line."""
    csv.field_size_limit(2**31 - 1)  # texts may be longer than the csv module's default limit of 128 kB
    with opened("") as file:
        reader = csv.reader(file, delimiter=delimiter, quotechar=quote, strict=True)
        start = 1
        try:
            for fields in reader:
                yield start, fields
                start = reader.line_num + 1
        except csv.Error as error:
            marks = "double quotes" if quote == '"' else quote
            raise DataError(
                f"{path}, line {start}: {error}. Put a text with quotes, {delimiter!r} or newlines in "
                f"{marks}, and double the quotes inside it ({quote * 2})."
            ) from error


def _table(path: Path, lines: Lines, key: object, header: tuple[str, ...] = (), ragged: bool = False) -> Rows:
    """The rows of a delimited file; its first line is the header unless `header` is given."""
    has_given_header = bool(header)
    notes: tuple[str, ...] = ()
    if not has_given_header:
        names = [name.strip() for name in next(iter(lines()), (0, []))[1]]
        header, notes = _distinct(names, path)
        require_header(path, header)

    def read() -> Iterator[Row]:
        for number, fields in itertools.islice(
            _without_trailing_blank_lines(path, lines()), 0 if has_given_header else 1, None
        ):
            yield Row(number, _row_by_column(f"{path}, line {number}", header, fields, ragged))

    whole_key = fingerprint(file_fingerprint(path), key, header, ragged)
    return Rows(name=str(path), fieldnames=header, key=whole_key, read=read, notes=notes)


def _distinct(names: Sequence[str], path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Column names of which none occurs twice, and a note on those that did.

    A repeated name gets the number of its column, so that nobody reads one of the columns by chance. Several
    columns without a name are numbered; a single one keeps its empty name.
    """
    counts = Counter(names)
    header = [
        (f"{name} (column {number})" if name else f"{NAMELESS}{number}") if counts[name] > 1 else name
        for number, name in enumerate(names, 1)
    ]
    repeated = [new for name, new in zip(names, header, strict=True) if name and name != new]
    note = f"{path.name} has columns of the same name, which are told apart as {', '.join(repeated)}"
    return tuple(header) if any(names) else (), (note,) if repeated else ()


def require_header(path: Path, header: tuple[str, ...]) -> None:
    """Check that a table has column names.

    Raises:
        DataError: The file is empty, or no column has a name.
    """
    if not any(header):
        raise DataError(f"{path} is empty. It needs a header line with the column names, then rows.")


def unquoted_tsv_rows(path: Path, *, header: tuple[str, ...] = (), ragged: bool = False) -> Rows:
    """The rows of a TSV file without quoting: every line is a row, and quotes are part of the text.

    Args:
        path: A `.tsv` file or its `.gz`.
        header: Column names of a file without a header line; () takes them from the first line.
        ragged: Accept rows with a wrong number of fields. A short row lacks its last columns; the extra
            fields of a long row are dropped.

    Raises:
        DataError: The file is missing or empty, or (while reading) a row has a wrong number of fields.
    """
    require_file(path)
    return _table(path, partial(_unquoted_lines, partial(open_text, path), "\t"), "none", header, ragged)


def _is_quoted(opened: Open, delimiter: str) -> bool:
    """Whether double quotes in a TSV file enclose fields, as CSV writers do, or are part of the text.

    They enclose fields if every field with a quote is completely quoted, or if some lines do not have as
    many fields as the header, which happens when a quoted field contains tabs or newlines.
    """
    quoted = re.compile(r'"(?:[^"]|"")*"')
    num_columns, has_uneven_rows, has_quotes, has_partly_quoted_field = 0, False, False, False
    for _, fields in _unquoted_lines(opened, delimiter):
        num_columns = num_columns or len(fields)
        has_uneven_rows |= len(fields) != num_columns and fields != [""]
        for text in fields:
            if '"' in text:
                has_quotes = True
                has_partly_quoted_field |= not quoted.fullmatch(text)
    return has_quotes and (has_uneven_rows or not has_partly_quoted_field)


def _inferred_delimiter(opened: Open) -> str:
    """The delimiter of a CSV file, inferred from its header line: a comma if it has one, else ; or a tab."""
    with opened("") as file:
        header = file.readline()
    return next((delimiter for delimiter in ",;\t" if delimiter in header), ",")


def delimited_rows(path: Path, form: TableFormat | None = None, *, tabs: bool) -> Rows:
    """The rows of a CSV or TSV file. What `form` leaves open is inferred, with a note where it is unusual.

    The delimiter of CSV (comma, semicolon or tab) is inferred from the header, the quoting of TSV from the
    whole file.

    Args:
        path: The file, or its `.gz`.
        form: Encoding, delimiter, quotes and header. None infers them all, and error messages then do not
            advise to set them.
        tabs: Whether it is a TSV file.

    Raises:
        DataError: The file is empty or in another encoding, or (while reading) a row is not valid.
    """
    chosen = form or TableFormat()
    opened = partial(open_text, path, encoding=chosen.encoding, advice=ENCODING_ADVICE if form else "")
    delimiter = chosen.delimiter or ("\t" if tabs else _inferred_delimiter(opened))
    quote = chosen.quote
    if quote is None:
        quote = "" if tabs and not _is_quoted(opened, delimiter) else '"'
    lines = (
        partial(_quoted_lines, path, opened, delimiter, quote)
        if quote
        else partial(_unquoted_lines, opened, delimiter)
    )
    width = 0 if chosen.header else len(next(iter(lines()), (0, []))[1])
    numbers = tuple(str(number) for number in range(1, width + 1))
    key = (chosen.encoding, delimiter, quote, chosen.header)
    rows = _table(path, lines, key, header=numbers)
    advice = COLUMNS_ADVICE.format(delimiter=delimiter) if form else ""
    return replace(rows, notes=(*rows.notes, *_notes(path, chosen, delimiter, quote, tabs)), hint=advice)


def _notes(path: Path, form: TableFormat, delimiter: str, quote: str, tabs: bool) -> Iterator[str]:
    """One sentence on each unusual property of a file that was inferred or set."""
    if form.delimiter is None and delimiter not in (",", "\t" if tabs else ","):
        yield f"columns are separated by {delimiter!r} in {path.name}"
    if form.quote is None and tabs and quote:
        yield f"double quotes enclose texts in {path.name}"
    if not form.header:
        yield f"the first line of {path.name} is a row; columns are called by their numbers"
    yield from encoding_notes(path, form)


def encoding_notes(path: Path, form: TableFormat) -> Iterator[str]:
    """One sentence on an encoding that was set, with a doubt if the file is valid UTF-8 too."""
    if form.encoding is not None:
        doubt = "; it is valid UTF-8 as well, so check its special characters" if is_utf8(path) else ""
        is_usual = form.encoding.lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig")
        yield f"{path.name} is read as {form.encoding}{'' if is_usual else doubt}"
