"""A file of texts in, the same file with labels and probabilities out."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np

from lmdistill.core.errors import DataError
from lmdistill.core.storage import atomic_file
from lmdistill.data.collate import view_of
from lmdistill.data.columns import text_columns
from lmdistill.data.encode import tokenize
from lmdistill.data.formats import open_rows, suffix_of
from lmdistill.data.rows import Row, Rows
from lmdistill.engine.device import make_accelerator
from lmdistill.engine.training import Training
from lmdistill.models.network import Network
from lmdistill.recipes.material import Split
from lmdistill.recipes.opened import open_model

CHUNK = 1024
"""Rows in memory at a time."""

LABEL = "predicted"
"""Column of the label or the score; probabilities are in columns `p_LABEL`."""

WRITABLE = (".csv", ".tsv", ".jsonl")


def predict(
    target: str | Path,
    source: Path,
    out: Path,
    *,
    text: Sequence[str] = (),
    on_rows: Callable[[int], None] | None = None,
) -> int:
    """Write the rows of `source` to `out`, in their order, each with the model's answer.

    Memory stays flat whatever the length of the file; `out` appears whole or not at all.

    Args:
        target: A run folder, a model folder, a hub id.
        source: CSV, TSV, JSON lines or Parquet, also gzip'd.
        out: CSV, TSV or JSON lines, by its suffix.
        text: Column of the text, or columns of the pair; those of the run, or inferred, when empty.
        on_rows: Told how many rows are done.

    Returns:
        How many rows there are.

    Raises:
        DataError: For a file or a column that cannot be used, with its place.
    """
    if suffix_of(out) not in WRITABLE:
        raise DataError(
            f"{out} cannot be written: predictions are saved as {', '.join(WRITABLE)}. "
            "Choose one of these suffixes."
        )
    opened = open_model(target)
    rows = open_rows(source)
    chosen = list(text or (name for name in opened.recipe.data.text if name in rows.fieldnames)) or None
    columns = text_columns(rows.fieldnames, chosen, opened.recipe.data.label)
    names = answer_columns(opened.network)
    taken = [name for name in names if name in rows.fieldnames]
    if taken:
        raise DataError(
            f"{source} already has a column {taken[0]!r}, which predictions are written to. Rename it."
        )
    network = opened.network.to(make_accelerator(Training()).device)
    count = 0
    with atomic_file(out) as part, part.open("w", encoding="utf-8", newline="") as file:
        write = _writer(file, suffix_of(out), (*rows.fieldnames, *names))
        stream = rows.read()
        while chunk := list(islice(stream, CHUNK)):
            for row, answer in zip(
                chunk, _answers(network, rows, chunk, columns, opened.recipe.data.max_length), strict=True
            ):
                write({**row.fields, **dict(zip(names, answer, strict=True))})
            count += len(chunk)
            if on_rows is not None:
                on_rows(count)
    return count


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
    view = view_of(encoded, padding=int(network.tokenizer.pad_token_id))
    device = str(next(network.parameters()).device)
    logits = Split(student=view, teacher=None, truncated=0.0).logits(network, device).astype(np.float64)
    if network.num_classes == 1:
        for (value,) in logits:
            yield (round(float(value), 6),)
        return
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    for shares in weights / weights.sum(-1, keepdims=True):
        yield (network.labels[int(shares.argmax())], *(round(float(share), 6) for share in shares))


def _text(rows: Rows, row: Row, column: str) -> str:
    """The text of a row, which must be there."""
    text = row.fields.get(column, "")
    if not text.strip():
        raise DataError(
            f"{rows.place(row.number)}: the text in {column!r} is empty. Fill it in, or remove the row."
        )
    return text


def _writer(file: TextIO, suffix: str, columns: Sequence[str]) -> Callable[[dict[str, str | float]], object]:
    """How a row is written."""
    if suffix == ".jsonl":
        return lambda row: file.write(json.dumps(row, ensure_ascii=False) + "\n")
    writer = csv.DictWriter(
        file, columns, dialect="excel-tab" if suffix == ".tsv" else "excel", lineterminator="\n"
    )
    writer.writeheader()
    return writer.writerow
