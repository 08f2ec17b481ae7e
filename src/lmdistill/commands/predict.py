"""Prediction: the rows of a file, each with a classifier's label and probabilities."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from jaxtyping import Float

from lmdistill.commands.evaluate import tell_other_columns
from lmdistill.commands.open_model import Opened, open_model
from lmdistill.core.atomic_io import atomic_file
from lmdistill.core.errors import DataError, ModelError
from lmdistill.core.file_lock import sole_writer
from lmdistill.core.progress import progress
from lmdistill.core.spreadsheet_cells import escaped
from lmdistill.data.batching.tokenizer_checks import longest_input
from lmdistill.data.files.formats import DELIMITED_SUFFIXES, open_rows, suffix_of
from lmdistill.data.files.table import Row, Rows, cell_text
from lmdistill.data.files.table_format import TableFormat
from lmdistill.data.files.text import require_file
from lmdistill.data.tasks.collator import tokenized_rows
from lmdistill.data.tasks.column_inference import text_columns
from lmdistill.data.tasks.task_spec import TASKS
from lmdistill.data.tasks.text_table import TextTable
from lmdistill.data.tasks.tokenization import tokenize
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.training_settings import Training
from lmdistill.linear.classifier import LinearClassifier
from lmdistill.metrics.multi_label import predicted_labels, sigmoid
from lmdistill.models.classifier import Network
from lmdistill.runs.classification.dataset import EncodedSplit

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


def predict(
    target: str | Path,
    source: Path,
    out: Path,
    *,
    text: Sequence[str] = (),
    overrides: Sequence[str] = (),
    escape_formulas: bool = False,
) -> int:
    """Write the rows of `source` to `out`, in their order, each with the model's prediction.

    Memory use does not depend on the length of the file. The file is read twice, so that a row that cannot be
    used is refused before the first prediction. `out` is written completely or not at all.

    Args:
        target: A run folder, a model folder, a hub id.
        source: CSV, TSV, JSON or Parquet, also gzip'd; read as the files of the run were, if it has their
            format.
        out: CSV, TSV or JSON lines, by its suffix.
        text: Column of the text, or columns of the pair; those of the run, or inferred, when empty. Columns
            that the run was not trained on are logged.
        overrides: `data.key=value` for the reading of `source`, such as `data.encoding=latin-1`.
        escape_formulas: Put an apostrophe before cells of CSV and TSV that a spreadsheet would run.

    Returns:
        Number of rows.

    Raises:
        DataError: For a file or a column that cannot be used, with its location.
        ModelError: If the model gives no number for a text.
        RunError: If another command writes `out`, or the files of the run are not as it wrote them.
    """
    require_file(source)
    _require_writable(source, out)
    with sole_writer(out):
        return _write_predictions(
            source, out, open_model(target, overrides), text=text, escape_formulas=escape_formulas
        )


def _write_predictions(
    source: Path, out: Path, opened: Opened, *, text: Sequence[str], escape_formulas: bool
) -> int:
    """What `predict` does while no other command writes `out`."""
    rows = open_rows(source, _form(source, opened), same_keys=False)
    for note in rows.notes:
        log.info("%s", note)
    where = _text_columns(rows, opened, text)
    names = answer_columns(opened.model)
    taken = [name for name in names if name in rows.fieldnames]
    if taken:
        raise DataError(
            f"{source} already has a column {taken[0]!r}, which predictions are written to. Rename it."
        )
    total = sum(1 for _ in where.all_texts())
    logits_of = _answering(opened)
    with (
        progress("predict", total) as shown,
        atomic_file(out) as part,
        part.open("w", encoding="utf-8", newline="") as file,
    ):
        write = _writer(file, out.suffix.lower(), (*rows.fieldnames, *names), escape_formulas)
        for chunk in _chunks(rows.read()):
            for row, answer in zip(chunk, _answers(opened.model, logits_of, where, chunk), strict=True):
                write(row, dict(zip(names, answer, strict=True)))
            shown.add(len(chunk))
    return total


def _form(source: Path, opened: Opened) -> TableFormat:
    """How the file is read: as those of the run, as far as that applies to its format."""
    form = opened.data.form
    if suffix_of(source) in DELIMITED_SUFFIXES:
        return form
    if suffix_of(source) == ".parquet":
        return TableFormat()
    return replace(TableFormat(), encoding=form.encoding)


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


def _text_columns(rows: Rows, opened: Opened, text: Sequence[str]) -> TextTable:
    """The text columns: as many as the network was trained on, if that is known."""
    named = tuple(str(name) for name in opened.data.text)
    usual = named or opened.columns
    join = opened.data.join if len(text) != 1 else None
    chosen = list(text or (name for name in usual if name in rows.fieldnames)) or None
    label = opened.data.label
    labels = label if isinstance(label, tuple) else () if label is None else (label,)
    others = [name for name in rows.fieldnames if name not in map(str, labels)]
    try:
        columns = text_columns(others if chosen is None else rows.fieldnames, chosen, joined=join is not None)
    except DataError as error:
        raise DataError(" ".join(part for part in (f"{rows.name}: {error}", rows.hint) if part)) from None
    known = TASKS.get(opened.task or "")
    trained = usual if known is None else known.columns
    wanted = 0 if opened.data.join is not None else len(trained)
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


def answer_columns(model: Network | LinearClassifier) -> tuple[str, ...]:
    """The columns that predictions add."""
    return (LABEL, *(f"p_{label}" for label in model.labels))


def _answering(opened: Opened) -> LogitsOf:
    """A function that gives the logits of first and second texts; for single texts the second are None."""
    if isinstance(opened.model, LinearClassifier):
        return opened.model.logits
    network = opened.model.to(make_accelerator(Training()).device)
    device = str(next(network.parameters()).device)
    length = min(opened.data.max_length, longest_input(network.tokenizer, network.positions))

    def read(first: list[str], second: list[str] | None) -> Float[np.ndarray, "n v"]:
        encoded = tokenize(network.tokenizer, first, second, max_length=length)
        view = tokenized_rows(encoded, padding=int(network.tokenizer.pad_token_id))
        return EncodedSplit(student=view, teacher=None, truncated=0.0).logits(network, device)

    return read


def _answers(
    network: Network | LinearClassifier, logits_of: LogitsOf, where: TextTable, chunk: list[Row]
) -> Iterator[tuple[str | float | list[str], ...]]:
    """Label and probabilities, or labels and the probability of each, or score, of each row."""
    first, *others = (list(texts) for texts in zip(*map(where.texts, chunk), strict=True))
    logits = logits_of(first, others[0] if others else None).astype(np.float64)
    for row, values in zip(chunk, logits, strict=True):
        if not np.isfinite(values).all():
            raise ModelError(
                f"{where.rows.location(row.number)}: {network.source} gives the logits {values.tolist()}, "
                "and no prediction can be made of that. Use another model, or train it again at a lower rate."
            )
    if isinstance(network, Network) and network.multi_label:
        yield from _label_answers(network, logits)
        return
    if network.num_classes == 1:
        for (value,) in logits:
            yield (round(float(value), 6),)
        return
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    for shares in weights / weights.sum(-1, keepdims=True):
        yield (network.labels[int(shares.argmax())], *(round(float(share), 6) for share in shares))


def _label_answers(
    network: Network, logits: Float[np.ndarray, "b v"]
) -> Iterator[tuple[str | float | list[str], ...]]:
    """The predicted labels and the probability of each label."""
    predicted = predicted_labels(logits, network.thresholds)
    for shares, chosen in zip(sigmoid(logits), predicted, strict=True):
        names = [label for label, is_chosen in zip(network.labels, chosen, strict=True) if is_chosen]
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
