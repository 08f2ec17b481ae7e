"""A file with predictions: its rows are read, answered and written in chunks, whatever answers them."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from jaxtyping import Float

from lmdistill.core.atomic_io import atomic_file
from lmdistill.core.errors import DataError, ModelError
from lmdistill.core.progress import progress
from lmdistill.core.spreadsheet_cells import escaped
from lmdistill.data.files.formats import DELIMITED_SUFFIXES, open_rows, suffix_of
from lmdistill.data.files.table import Row, Rows, cell_text
from lmdistill.data.files.table_format import TableFormat
from lmdistill.data.tasks.column_inference import text_columns
from lmdistill.data.tasks.task_spec import TASKS
from lmdistill.data.tasks.text_table import TextTable
from lmdistill.metrics.multi_label import predicted_labels, sigmoid

log = logging.getLogger("lmdistill")

CHUNK = 1024
"""Number of rows in memory at a time, at most."""

CHUNK_CHARACTERS = 16_000_000
"""Number of characters in memory at a time, unless a single row has more."""

LABEL = "predicted"
"""Column of the label, the list of labels, or the score; probabilities are in columns `p_LABEL`."""

LogitsOf = Callable[[list[str], list[str] | None], Float[np.ndarray, "n v"]]
"""Logits of texts, or of pairs of first and second texts."""

WRITABLE = (".csv", ".tsv", ".jsonl")


@dataclass(frozen=True, kw_only=True)
class TextModel:
    """What answers the rows of a file, and how it was trained to read them."""

    source: str
    """What to call it in messages."""

    labels: tuple[str, ...]
    """Names of its outputs; () for a score."""

    thresholds: tuple[float, ...] | None = None
    """Of several labels a text; None is 0.5."""

    multi_label: bool = False
    """Whether a text has any number of labels."""

    task: str | None = None
    """Name of its task, if that is known."""

    columns: tuple[str, ...] = ()
    """Text columns that it was trained on; () if they are not known."""

    text: tuple[str, ...] = ()
    """Text columns that its recipe names."""

    not_text: tuple[str, ...] = ()
    """Label columns, which are no texts."""

    join: str | None = None
    """What stands between columns that are joined to one text."""

    form: TableFormat = field(default_factory=TableFormat)
    """How the files of its run were read."""

    load: Callable[[], LogitsOf]
    """Gives the function that answers; called once the rows are found to be usable."""


def write_predictions(
    source: Path, out: Path, model: TextModel, *, text: Sequence[str], escape_formulas: bool
) -> int:
    """Write the rows of `source` to `out` with predictions, while no other command writes `out`.

    Args:
        source: The rows.
        out: CSV, TSV or JSON lines, by its suffix; written completely or not at all.
        model: What answers.
        text: Columns of the text or the pair; those of the model, or inferred, when empty.
        escape_formulas: Put an apostrophe before cells of CSV and TSV that a spreadsheet would run.

    Returns:
        Number of rows.

    Raises:
        DataError: For a file or a column that cannot be used, with its location.
        ModelError: If the model gives no number for a text.
    """
    rows = rows_for(source, model)
    for note in rows.notes:
        log.info("%s", note)
    where = text_table(rows, model, text)
    names = answer_columns(model.labels)
    taken = [name for name in names if name in rows.fieldnames]
    if taken:
        raise DataError(
            f"{source} already has a column {taken[0]!r}, which predictions are written to. Rename it."
        )
    total = sum(1 for _ in where.all_texts())
    logits_of = model.load()
    with (
        progress("predict", total) as shown,
        atomic_file(out) as part,
        part.open("w", encoding="utf-8", newline="") as file,
    ):
        write = _writer(file, out.suffix.lower(), (*rows.fieldnames, *names), escape_formulas)
        for chunk in _chunks(rows.read()):
            for row, answer in zip(chunk, _answers(model, logits_of, where, chunk), strict=True):
                write(row, dict(zip(names, answer, strict=True)))
            shown.add(len(chunk))
    return total


def texts_in_file(source: Path, model: TextModel, text: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """All texts of a file, or all first and second texts of its pairs.

    Args:
        source: CSV, TSV, JSON or Parquet, also gzip'd.
        model: What will read them.
        text: Columns of the text or the pair; those of the model, or inferred, when empty.

    Raises:
        DataError: For a file or a column that cannot be used, with its location, or without rows.
    """
    columns = list(zip(*text_table(rows_for(source, model), model, text).all_texts(), strict=True))
    if not columns:
        raise DataError(f"{source} has no rows. Name a file with texts.")
    first, *others = map(list, columns)
    return first, others[0] if others else None


def rows_for(source: Path, model: TextModel) -> Rows:
    """The rows of a file, read as those of the model's run as far as that applies to its format.

    Raises:
        DataError: For a file that cannot be read.
    """
    form = model.form
    if suffix_of(source) not in DELIMITED_SUFFIXES:
        encoding = None if suffix_of(source) == ".parquet" else form.encoding
        form = replace(TableFormat(), encoding=encoding)
    return open_rows(source, form, same_keys=False)


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows in lists of at most `CHUNK` rows and about `CHUNK_CHARACTERS` characters."""
    chunk: list[Row] = []
    characters = 0
    for row in rows:
        chunk.append(row)
        characters += sum(map(len, row.fields.values()))
        if len(chunk) == CHUNK or characters >= CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def require_writable(source: Path, out: Path) -> None:
    """Refuse formats that are not written and the input file itself; log what is replaced."""
    if out.suffix.lower() not in WRITABLE:
        raise DataError(
            f"{out} cannot be written: predictions are saved as {', '.join(WRITABLE)}. "
            "Choose one of these suffixes."
        )
    if out.exists() and source.exists() and out.samefile(source):
        raise DataError(f"{out} is the file to read; it would be replaced. Choose another --out.")
    if out.exists():
        log.info("replacing %s", out)


def text_table(rows: Rows, model: TextModel, text: Sequence[str]) -> TextTable:
    """Rows with their text columns: as many as the network was trained on, if that is known.

    Args:
        rows: Rows of a file.
        model: What will read them.
        text: Columns of the text or the pair; those of the model, or inferred, when empty.

    Raises:
        DataError: If there is no such column, or it is not clear which ones hold the texts.
    """
    usual = model.text or model.columns
    join = model.join if len(text) != 1 else None
    chosen = list(text or (name for name in usual if name in rows.fieldnames)) or None
    others = [name for name in rows.fieldnames if name not in model.not_text]
    try:
        columns = text_columns(others if chosen is None else rows.fieldnames, chosen, joined=join is not None)
    except DataError as error:
        raise DataError(" ".join(part for part in (f"{rows.name}: {error}", rows.hint) if part)) from None
    known = TASKS.get(model.task or "")
    trained = usual if known is None else known.columns
    wanted = 0 if model.join is not None else len(trained)
    if wanted and wanted != len(columns):
        kind, which = ("pairs", "both columns") if wanted == 2 else ("single texts", "its column")
        raise DataError(
            f"{rows.name}: the text is read from {' and '.join(columns)}, and the model was trained on "
            f"{kind}. Name {which} with --text."
        )
    if known is None and trained:
        tell_other_columns(columns, trained, "--text")
    elif chosen is None:
        log.info("the text is read from %s (inferred)", " and ".join(columns))
    return TextTable(rows=rows, columns=columns, join=join)


def answer_columns(labels: Sequence[str]) -> tuple[str, ...]:
    """The columns that predictions add."""
    return (LABEL, *(f"p_{label}" for label in labels))


def _answers(
    model: TextModel, logits_of: LogitsOf, where: TextTable, chunk: list[Row]
) -> Iterator[tuple[str | float | list[str], ...]]:
    """Label and probabilities, or labels and the probability of each, or score, of each row."""
    first, *others = (list(texts) for texts in zip(*map(where.texts, chunk), strict=True))
    logits = logits_of(first, others[0] if others else None).astype(np.float64)
    for row, values in zip(chunk, logits, strict=True):
        if not np.isfinite(values).all():
            raise ModelError(
                f"{where.rows.location(row.number)}: {model.source} gives the logits {values.tolist()}, "
                "and no prediction can be made of that. Use another model, or train it again at a lower rate."
            )
    if model.multi_label:
        yield from _label_answers(model, logits)
        return
    if not model.labels:
        for (value,) in logits:
            yield (round(float(value), 6),)
        return
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    for shares in weights / weights.sum(-1, keepdims=True):
        yield (model.labels[int(shares.argmax())], *(round(float(share), 6) for share in shares))


def _label_answers(
    model: TextModel, logits: Float[np.ndarray, "b v"]
) -> Iterator[tuple[str | float | list[str], ...]]:
    """The predicted labels and the probability of each label."""
    predicted = predicted_labels(logits, model.thresholds)
    for shares, chosen in zip(sigmoid(logits), predicted, strict=True):
        names = [label for label, is_chosen in zip(model.labels, chosen, strict=True) if is_chosen]
        yield (names, *(round(float(share), 6) for share in shares))


def _writer(
    file: TextIO, suffix: str, columns: Sequence[str], escape_formulas: bool
) -> Callable[[Row, Mapping[str, Any]], object]:
    """A function that writes a row and its prediction."""
    if suffix == ".jsonl":
        return lambda row, answer: file.write(
            json.dumps({**(row.values or row.fields), **answer}, ensure_ascii=False, default=str) + "\n"
        )
    mark = "\t" if suffix == ".tsv" else ","
    as_cell: Callable[[str], str] = escaped if escape_formulas else str

    def write(values: Iterable[Any]) -> None:
        file.write(mark.join(_quoted(as_cell(cell_text(value)), mark) for value in values) + "\n")

    write(columns)
    return lambda row, answer: write(({**row.fields, **answer}).get(column, "") for column in columns)


def _quoted(text: str, mark: str) -> str:
    """`text` as a field, quoted where needed (Python's csv does not quote a lone carriage return)."""
    if any(stop in text for stop in (mark, '"', "\n", "\r")):
        return '"' + text.replace('"', '""') + '"'
    return text


def tell_other_columns(columns: Sequence[str], trained: Sequence[str], setting: str) -> None:
    """Log it if the text is read from other columns than those that a run was trained on.

    Args:
        columns: Where the text is read.
        trained: What the run was trained on; empty if that is not known.
        setting: The option or the key that names the columns.
    """
    if trained and list(columns) != list(trained):
        log.warning(
            "the text is read from %s, and the run was trained on %s. Set %s if another column is meant.",
            " and ".join(columns),
            " and ".join(trained),
            setting,
        )
