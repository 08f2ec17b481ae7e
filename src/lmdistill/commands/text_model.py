"""What answers the rows of a file, and where it reads their texts."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lmdistill.core.errors import DataError
from lmdistill.data.files.formats import DELIMITED_SUFFIXES, open_rows, suffix_of
from lmdistill.data.files.table import Rows
from lmdistill.data.files.table_format import TableFormat
from lmdistill.data.tasks.column_inference import text_columns
from lmdistill.data.tasks.task_spec import TASKS
from lmdistill.data.tasks.text_table import TextTable
from lmdistill.serving.manifest import Answers

log = logging.getLogger("lmdistill")

LogitsOf = Callable[[list[str], list[str] | None], Float[np.ndarray, "n v"]]
"""Logits of texts, or of pairs of first and second texts."""


@dataclass(frozen=True, kw_only=True)
class TextModel:
    """What answers the rows of a file, and how it was trained to read them."""

    source: str
    """What to call it in messages."""

    answers: Answers
    """What its outputs mean."""

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

    threshold: float | None = None
    """Certified confidence from which on it answers itself; None if nothing was certified of it."""

    load: Callable[[], LogitsOf]
    """Gives the function that answers; called once the rows are found to be usable."""


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
    """The rows of a file, read as those of the model's run; what is inferred of its format is logged.

    Raises:
        DataError: For a file that cannot be read.
    """
    rows = open_rows(source, _form(source, model), same_keys=False)
    for note in rows.notes:
        log.info("%s", note)
    return rows


def _form(source: Path, model: TextModel) -> TableFormat:
    """How the file is read: as those of the run, as far as that applies to its format."""
    form = model.form
    if suffix_of(source) in DELIMITED_SUFFIXES:
        return form
    if suffix_of(source) == ".parquet":
        return TableFormat()
    return replace(TableFormat(), encoding=form.encoding)


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
