"""The texts to label: rows of a file with one text or a pair, and human labels for an audit."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lmdistill.core.errors import DataError
from lmdistill.data.files import plain_text
from lmdistill.data.files.formats import open_rows, suffix_of
from lmdistill.data.files.table import Rows
from lmdistill.data.tasks.column_inference import label_column, text_columns
from lmdistill.data.tasks.label_inference import require_single_label
from lmdistill.data.tasks.label_matching import normalized_name
from lmdistill.data.tasks.text_table import TextTable

RESERVED = ("probabilities", "source", "samples", "unassigned", "model")
"""Fields of the output beside the texts."""


def open_texts(path: Path, text: Sequence[str] = ()) -> TextTable:
    """A file of texts to label; see `text_table`.

    Raises:
        DataError: The file cannot be used, or a text column has the name of a field of the output.
    """
    table = text_table(path, text)
    taken = sorted(set(table.columns) & set(RESERVED))
    if taken:
        raise DataError(
            f"{path}: the text column {taken[0]!r} has the name of a field of the output. Rename it."
        )
    return table


def text_table(path: Path, text: Sequence[str] = ()) -> TextTable:
    """A file of texts: JSON, CSV, TSV or Parquet with columns, or plain text with one a line.

    Args:
        path: The file, also gzip'd.
        text: Names of one or two columns; inferred when empty.

    Raises:
        DataError: The file cannot be read, or it is not clear where its texts are.
    """
    is_plain = suffix_of(path) in plain_text.SUFFIXES
    rows = plain_text.text_file_rows(path) if is_plain else open_rows(path, same_keys=False)
    if len(text) > 2 or len(set(text)) != len(text):
        raise DataError(f"--text names {', '.join(text)}. Name one column, or the two of a pair.")
    if text:
        try:
            columns = text_columns(rows.fieldnames, tuple(text))
        except DataError as error:
            raise DataError(f"{path}: {error}") from None
    else:
        columns = _inferred(path, rows)
    return TextTable(rows=rows, columns=columns)


def _inferred(path: Path, rows: Rows) -> tuple[str, ...]:
    """The text columns by their names."""
    try:
        return text_columns(rows.fieldnames)
    except DataError:
        raise DataError(
            f"{path}: it is not clear which column holds the text; the columns are: "
            f"{', '.join(rows.fieldnames)}. Name it with --text, twice for a pair."
        ) from None


@dataclass(frozen=True, kw_only=True)
class HumanLabels:
    """Texts with the labels that people gave them."""

    table: TextTable
    """The file with texts and labels."""

    texts: tuple[tuple[str, ...], ...]
    """Texts of each row."""

    labels: tuple[int, ...]
    """Number of the label of each row."""


def read_human_labels(
    path: Path, labels: Sequence[str], *, text: Sequence[str] = (), label: str | None = None
) -> HumanLabels:
    """Read a file of texts with human labels.

    Args:
        path: As for `open_texts`, with a column of labels.
        labels: The labels of the task. Case, spaces and hyphens do not count.
        text: Names of the text columns; inferred when empty.
        label: Name of the label column; inferred when None.

    Raises:
        DataError: The file has no rows, a text is empty, or a label is missing or unknown.
    """
    table = open_texts(path, text)
    try:
        column = label_column(table.rows.fieldnames, label, table.columns)
    except DataError as error:
        said = str(error).replace("Set data.label to one of them", "Name it with --audit-label")
        raise DataError(f"{path}: {said}") from None
    numbers = {normalized_name(name): number for number, name in enumerate(labels)}
    texts, found = [], []
    for row in table.rows.read():
        location = table.rows.location(row.number)
        require_single_label(row, column, location)
        said = row.fields.get(column, "").strip()
        number = numbers.get(normalized_name(said))
        if number is None:
            raise DataError(
                f"{location}: the human label {said!r} is none of {', '.join(labels)}. Correct the row, or "
                "--labels."
            )
        texts.append(table.texts(row))
        found.append(number)
    if not found:
        raise DataError(f"{path} has no rows. An audit needs texts with human labels.")
    return HumanLabels(table=table, texts=tuple(texts), labels=tuple(found))
