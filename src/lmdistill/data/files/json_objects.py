"""Records: rows of a file whose cells may hold more than text and whose columns may differ."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lmdistill.core.errors import DataError
from lmdistill.core.fingerprint import file_fingerprint
from lmdistill.data.files.formats import json_lines, open_rows, suffix_of
from lmdistill.data.files.table import Row, Rows, cell_text
from lmdistill.data.files.text import open_text, require_file

JSON = (".json", ".jsonl", ".ndjson")


def open_records(path: Path) -> Rows:
    """Rows of a JSON list, JSON lines, CSV, TSV or Parquet file (also `.gz`).

    Objects of a JSON file may have different keys; the columns are all that occur. A row that lacks one has
    no such field. A JSON list is read at once, JSON lines one by one.

    Raises:
        DataError: The file is missing, empty, or no such table; broken JSON with its line.
    """
    require_file(path)
    if suffix_of(path) not in JSON:
        return open_rows(path)
    listed = _is_list(path)

    def read() -> Iterator[Row]:
        numbered = _listed(path) if listed else json_lines(path)
        return (Row(n, {key: cell_text(cell) for key, cell in value.items()}, value) for n, value in numbered)

    columns = tuple(dict.fromkeys(key for row in read() for key in row.fields))
    if not columns:
        raise DataError(f"{path} holds no rows. Write objects with keys, like prompt and completion.")
    return Rows(
        name=str(path),
        unit="row" if listed else "line",
        fieldnames=columns,
        key=file_fingerprint(path),
        read=read,
    )


def _is_list(path: Path) -> bool:
    """Whether the first character that is no blank opens a list."""
    with open_text(path) as file:
        return next((line.lstrip()[0] for line in file if line.strip()), "") == "["


def _listed(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
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
