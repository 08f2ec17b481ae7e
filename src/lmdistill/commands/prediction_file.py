"""A file with predictions: its rows are read, answered and written in chunks, whatever answers them."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from lmdistill.commands.text_model import LogitsOf, TextModel, rows_for, text_table
from lmdistill.core.atomic_io import atomic_file
from lmdistill.core.errors import DataError, ModelError
from lmdistill.core.progress import progress
from lmdistill.core.spreadsheet_cells import escaped
from lmdistill.data.files.table import Row, cell_text
from lmdistill.data.tasks.text_table import TextTable
from lmdistill.serving.answer_classes import answer_sets
from lmdistill.serving.confidence import confidences, deferred, probabilities

log = logging.getLogger("lmdistill")

CHUNK = 1024
"""Number of rows in memory at a time, at most."""

CHUNK_CHARACTERS = 16_000_000
"""Number of characters in memory at a time, unless a single row has more."""

LABEL = "predicted"
"""Column of the label, the list of labels, or the score; probabilities are in columns `p_LABEL`."""

DEFER = "defer"
"""Column that says whether a text is below the certified threshold, and so left to the teacher."""

WRITABLE = (".csv", ".tsv", ".jsonl")


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
    rows, names = rows_for(source, model), answer_columns(model)
    where = text_table(rows, model, text)
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


def answer_columns(model: TextModel) -> tuple[str, ...]:
    """The columns that predictions add."""
    shares = (f"p_{label}" for label in model.answers.labels)
    return (LABEL, *shares, *([DEFER] if model.threshold is not None else []))


def _answers(
    model: TextModel, logits_of: LogitsOf, where: TextTable, chunk: list[Row]
) -> Iterator[tuple[Any, ...]]:
    """For each row label, list of labels or score, then probabilities, then whether it is deferred."""
    first, *others = (list(texts) for texts in zip(*map(where.texts, chunk), strict=True))
    logits = logits_of(first, others[0] if others else None).astype(np.float64)
    for row, values in zip(chunk, logits, strict=True):
        if not np.isfinite(values).all():
            raise ModelError(
                f"{where.rows.location(row.number)}: {model.source} gives the logits {values.tolist()}, "
                "and no prediction can be made of that. Use another model, or train it again at a lower rate."
            )
    answers = model.answers
    if answers.kind == "regression":
        yield from ((round(float(value), 6),) for (value,) in logits)
        return
    defers: list[tuple[bool, ...]] = [()] * len(chunk)
    if model.threshold is not None:
        defers = [(bool(one),) for one in deferred(confidences(answers, logits), model.threshold)]
    chosen = answer_sets(answers, logits)
    for numbers, shares, defer in zip(chosen, probabilities(answers, logits), defers, strict=True):
        names = [answers.labels[number] for number in sorted(numbers)]
        said = names if answers.kind == "multilabel" else names[0]
        yield (said, *(round(float(share), 6) for share in shares), *defer)


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
