"""Prediction: the rows of a file, each with a classifier's label and probabilities."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from lmdistill.commands.open_model import Opened, open_model
from lmdistill.core.atomic_io import atomic_file
from lmdistill.core.errors import DataError
from lmdistill.core.progress import progress
from lmdistill.core.spreadsheet_cells import escaped
from lmdistill.data.files.formats import open_rows
from lmdistill.data.files.table import Row, Rows
from lmdistill.data.tasks.collator import tokenized_rows
from lmdistill.data.tasks.column_inference import text_columns
from lmdistill.data.tasks.task_spec import TASKS
from lmdistill.data.tasks.tokenization import tokenize
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.training_settings import Training
from lmdistill.models.classifier import Network
from lmdistill.runs.classification.dataset import EncodedSplit

log = logging.getLogger("lmdistill")

CHUNK = 1024
"""Number of rows in memory at a time."""

LABEL = "predicted"
"""Column of the label or the score; probabilities are in columns `p_LABEL`."""

WRITABLE = (".csv", ".tsv", ".jsonl")


def predict(
    target: str | Path, source: Path, out: Path, *, text: Sequence[str] = (), escape_formulas: bool = False
) -> int:
    """Write the rows of `source` to `out`, in their order, each with the model's prediction.

    Memory use does not depend on the length of the file. The file is read twice, so that a row that cannot be
    used is refused before the first prediction. `out` is written completely or not at all.

    Args:
        target: A run folder, a model folder, a hub id.
        source: CSV, TSV, JSON lines or Parquet, also gzip'd.
        out: CSV, TSV or JSON lines, by its suffix.
        text: Column of the text, or columns of the pair; those of the run, or inferred, when empty.
        escape_formulas: Put an apostrophe before cells of CSV and TSV that a spreadsheet would run.

    Returns:
        Number of rows.

    Raises:
        DataError: For a file or a column that cannot be used, with its location.
    """
    _require_writable(source, out)
    rows = open_rows(source)
    opened = open_model(target)
    columns = _columns(rows, opened, text)
    names = answer_columns(opened.network)
    taken = [name for name in names if name in rows.fieldnames]
    if taken:
        raise DataError(
            f"{source} already has a column {taken[0]!r}, which predictions are written to. Rename it."
        )
    total = sum(bool([_text(rows, row, column) for column in columns]) for row in rows.read())
    network = opened.network.to(make_accelerator(Training()).device)
    length = min(opened.data.max_length, network.tokenizer.model_max_length)
    with (
        progress("predict", total) as shown,
        atomic_file(out) as part,
        part.open("w", encoding="utf-8", newline="") as file,
    ):
        write = _writer(file, out.suffix.lower(), (*rows.fieldnames, *names), escape_formulas)
        stream = rows.read()
        while chunk := list(islice(stream, CHUNK)):
            for row, answer in zip(chunk, _answers(network, rows, chunk, columns, length), strict=True):
                write(row, dict(zip(names, answer, strict=True)))
            shown.add(len(chunk))
    return total


def _require_writable(source: Path, out: Path) -> None:
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


def _columns(rows: Rows, opened: Opened, text: Sequence[str]) -> tuple[str, ...]:
    """The text columns: as many as the network was trained on, if that is known."""
    chosen = list(text or (name for name in opened.data.text if name in rows.fieldnames)) or None
    try:
        columns = text_columns(rows.fieldnames, chosen, opened.data.label)
    except DataError as error:
        raise DataError(f"{rows.name}: {error}") from None
    known = TASKS.get(opened.task or "")
    wanted = len(opened.data.text if known is None else known.columns)
    if wanted and wanted != len(columns):
        kind, which = ("pairs", "both columns") if wanted == 2 else ("single texts", "its column")
        raise DataError(
            f"{rows.name}: the text is read from {' and '.join(columns)}, and the model was trained on "
            f"{kind}. Name {which} with text=."
        )
    return columns


def answer_columns(network: Network) -> tuple[str, ...]:
    """The columns that predictions add."""
    return (LABEL, *(f"p_{label}" for label in network.labels))


def _answers(
    network: Network, rows: Rows, chunk: list[Row], columns: Sequence[str], max_length: int
) -> Iterator[tuple[str | float, ...]]:
    """Label and probabilities, or score, of each row."""
    texts = [[_text(rows, row, column) for row in chunk] for column in columns]
    second = texts[1] if len(texts) == 2 else None
    encoded = tokenize(network.tokenizer, texts[0], second, max_length=max_length)
    view = tokenized_rows(encoded, padding=int(network.tokenizer.pad_token_id))
    device = str(next(network.parameters()).device)
    logits = (
        EncodedSplit(student=view, teacher=None, truncated=0.0).logits(network, device).astype(np.float64)
    )
    if network.num_classes == 1:
        for (value,) in logits:
            yield (round(float(value), 6),)
        return
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    for shares in weights / weights.sum(-1, keepdims=True):
        yield (network.labels[int(shares.argmax())], *(round(float(share), 6) for share in shares))


def _text(rows: Rows, row: Row, column: str) -> str:
    """The text of a row, which must not be empty."""
    text = row.fields.get(column, "")
    if not text.strip():
        raise DataError(
            f"{rows.location(row.number)}: the text in {column!r} is empty. Fill it in, or remove the row."
        )
    return text


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
        file.write(mark.join(_quoted(as_cell(str(value)), mark) for value in values) + "\n")

    write(columns)
    return lambda row, answer: write(({**row.fields, **answer})[column] for column in columns)


def _quoted(text: str, mark: str) -> str:
    """`text` as a field, quoted where needed (Python's csv does not quote a lone carriage return)."""
    if any(stop in text for stop in (mark, '"', "\n", "\r")):
        return '"' + text.replace('"', '""') + '"'
    return text
