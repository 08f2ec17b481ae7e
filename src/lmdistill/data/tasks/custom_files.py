"""Tasks from the user's own files; columns that are not named are inferred, with a note."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
from datasets import Dataset

from lmdistill.core.errors import ConfigError, DataError, UnknownNameError
from lmdistill.data.files.formats import open_rows
from lmdistill.data.files.table import Rows
from lmdistill.data.files.table_format import TableFormat
from lmdistill.data.tasks.build_examples import ColumnMapping, RowFlaw, build_examples, require_rows
from lmdistill.data.tasks.column_inference import label_column, text_columns
from lmdistill.data.tasks.dev_split import equal_texts, hold_out_dev, text_hashes
from lmdistill.data.tasks.label_inference import column_statistics
from lmdistill.data.tasks.label_names import KindAndLabels, kind_and_labels
from lmdistill.data.tasks.subsample import labels_of, require_classes
from lmdistill.data.tasks.task import Task
from lmdistill.data.tasks.task_spec import USUAL_METRICS, TaskSpec

DEV_FRACTION = 0.1
"""Fraction of the training rows that is held out as dev set by default."""

Dropped = Literal["empty", "unlabelled", "duplicates"]
"""Rows that can be dropped: with an empty text, without a label, with the text of an earlier row."""


@dataclass(frozen=True, kw_only=True)
class ColumnChoices:
    """What the user specified about their table; None means that it is inferred."""

    text: str | Sequence[str] | None = None
    """Name of the text column, of two for text pairs, or of several that are joined."""

    join: str | None = None
    """What stands between the texts of several columns that are one text; None makes pairs."""

    label: str | None = None
    """Name of the label column."""

    kind: str | None = None
    """Kind of task: "classification" or "regression"."""

    labels: Sequence[str] | Mapping[str, str] | None = None
    """Label names in the order of the model's outputs, or label in the file -> name in this order."""

    drop: tuple[str, ...] = ()
    """Rows to drop, as in `Dropped`; others of these kinds are errors, but for duplicates."""

    dev_fraction: float = DEV_FRACTION
    """Fraction of the training rows to hold out if there is no dev split, in (0, 1)."""

    seed: int = 0
    """Random seed of the held-out rows."""

    def __post_init__(self) -> None:
        if self.kind not in (None, "classification", "regression"):
            raise ConfigError(f"kind is {self.kind!r}; it must be 'classification' or 'regression'.")
        if not 0 < self.dev_fraction < 1:
            raise ConfigError(f"the fraction to hold out must be between 0 and 1, got {self.dev_fraction}.")
        if len(set(self.labels or ())) != len(self.labels or ()):
            raise ConfigError(f"labels has a duplicate: {list(self.labels or ())}. Name each label once.")
        for name in self.drop:
            if name not in get_args(Dropped):
                raise UnknownNameError("kind of row to drop", name, get_args(Dropped))
        if self.join is not None and (self.text is None or isinstance(self.text, str) or len(self.text) < 2):
            raise ConfigError(
                f"data.join is {self.join!r} and data.text names no two columns to join. Name them, or leave "
                "data.join out."
            )

    @property
    def flaws(self) -> tuple[RowFlaw, ...]:
        """Flaws of rows that are dropped."""
        return tuple(cast(RowFlaw, name) for name in self.drop if name != "duplicates")


def _columns(rows: Rows, choices: ColumnChoices) -> tuple[tuple[str, ...], str]:
    """The text columns and the label column."""
    joined = choices.join is not None
    try:
        label = label_column(rows.fieldnames, choices.label, choices.text, joined=joined)
        texts = text_columns(rows.fieldnames, choices.text, label, joined=joined)
    except DataError as error:
        raise DataError(" ".join(part for part in (f"{rows.name}: {error}", rows.hint) if part)) from None
    if label in texts:
        raise DataError(
            f"{rows.name}: the column {label!r} cannot be both text and label. Set data.label to another one."
        )
    return texts, label


def infer_columns(rows: Rows, name: str, choices: ColumnChoices) -> tuple[ColumnMapping, tuple[str, ...]]:
    """Infer the columns and labels of a training table, in one pass over it.

    Args:
        rows: The training table.
        name: Name of the task.
        choices: What the user specified.

    Returns:
        The columns to use, and notes on everything that was inferred.

    Raises:
        DataError: The table has no rows, or a column or the labels cannot be inferred or used.
    """
    require_rows(rows)
    texts, label = _columns(rows, choices)
    statistics = column_statistics(rows, texts, label, known=tuple(choices.labels or ()))
    notes = list(rows.notes)
    if choices.text is None and statistics.second_blank:
        notes.append(f"{texts[1]!r} is empty in every row, so examples are single texts")
        texts = texts[:1]
    if choices.text is None:
        notes.append(f"text from {' and '.join(map(repr, texts))} (inferred)")
    if choices.label is None:
        notes.append(f"label from {label!r} (inferred)")
    found = kind_and_labels(rows, label, statistics, kind=choices.kind, labels=choices.labels)
    mapping = ColumnMapping(
        spec=_spec(name, texts, found, choices.join),
        texts=texts,
        join=choices.join,
        label=label,
        aliases=found.aliases,
        missing=statistics.missing,
        tolerated=choices.flaws,
    )
    return mapping, (*notes, *found.notes)


def _spec(name: str, texts: tuple[str, ...], found: KindAndLabels, join: str | None) -> TaskSpec:
    """The definition of the task."""
    return TaskSpec(
        name=name,
        kind=found.kind,
        columns=texts if join is None else (" + ".join(texts),),
        labels=found.labels,
        metrics=USUAL_METRICS[found.kind],
        test_splits=(),
    )


def _require_columns(rows: Rows, mapping: ColumnMapping) -> None:
    """Check that a dev or test table has the columns of the training table."""
    for column in (*mapping.texts, mapping.label):
        if column is not None and column not in rows.fieldnames:
            known = ", ".join(rows.fieldnames)
            raise DataError(
                f"{rows.name}: there is no column {column!r} as in the training data. It has: {known}."
            )


def custom_task(
    tables: Mapping[str, Rows],
    *,
    name: str,
    source: str,
    choices: ColumnChoices,
    tolerated: tuple[RowFlaw, ...] = (),
) -> Task:
    """Build a task from tables of train, dev and test rows.

    Without a dev table, a part of the training rows is held out. The test table may lack labels.

    Args:
        tables: Split -> table; "train" is required, "dev" and "test" are optional.
        name: Name of the task.
        source: Origin of the tables, for messages and records.
        choices: What the user specified about the columns.
        tolerated: Flaws for which a row of train or dev is dropped and counted, besides those of `choices`.

    Returns:
        The task; notes say what was inferred, dropped, repeated and held out.

    Raises:
        DataError: A table, column or row cannot be used.
    """
    mapping, notes = infer_columns(tables["train"], name, choices)
    mapping = replace(mapping, tolerated=tuple(dict.fromkeys((*mapping.tolerated, *tolerated))))
    splits: dict[str, Dataset] = {}
    for split, rows in tables.items():
        split_mapping = mapping
        if split == "test":
            label = mapping.label if mapping.label in rows.fieldnames else None
            split_mapping = replace(mapping, label=label, tolerated=("empty", "unlabelled"), drop=False)
        _require_columns(rows, split_mapping)
        splits[split], split_notes = build_examples(rows, split_mapping)
        notes += (*(rows.notes if split != "train" else ()), *split_notes)
    require_classes(splits["train"], mapping.spec, source)
    splits, split_notes = _with_dev(splits, choices)
    spec = replace(mapping.spec, test_splits=("test",) if "test" in splits else ())
    return Task(spec=spec, splits=splits, source=source, notes=(*notes, *split_notes))


def _with_dev(
    splits: Mapping[str, Dataset], choices: ColumnChoices
) -> tuple[dict[str, Dataset], tuple[str, ...]]:
    """The splits with a dev split and, if that is wanted, without repeated texts in train; and notes."""
    train, notes = splits["train"], []
    hashes = text_hashes(train)
    equal = equal_texts(hashes, labels_of(train))
    drops = "duplicates" in choices.drop
    if equal.repeats:
        unlike = f"; {equal.unlike} of these texts have unlike labels" if equal.unlike else ""
        action = "dropped, since they repeat" if drops else "repeat"
        notes.append(
            f"{equal.repeats} of the {train.num_rows} training rows {action} the text of an earlier row "
            f"(case and spaces aside){unlike}"
        )
    if drops:
        train, hashes = train.select(equal.first), hashes[equal.first]
        equal = equal_texts(hashes, labels_of(train))
    if "dev" in splits:
        is_shared = np.isin(hashes, text_hashes(splits["dev"]))
        if is_shared.any():
            action = " and are dropped there" if drops else ", so dev scores are too good"
            notes.append(f"the texts of {int(is_shared.sum())} training rows are also in dev{action}")
        train = train.select(np.flatnonzero(~is_shared)) if drops and is_shared.any() else train
        return {**splits, "train": train}, tuple(notes)
    kept, held_out = hold_out_dev(train, choices.dev_fraction, seed=choices.seed, equal=equal)
    notes.append(
        f"no dev data given: {held_out.num_rows} of the {train.num_rows} training rows are held out at "
        f"random (fraction {choices.dev_fraction:g}, seed {choices.seed}), a share of each class or "
        "range of scores"
    )
    return {**splits, "train": kept, "dev": held_out}, tuple(notes)


def load_custom_files(
    train: str | Path,
    dev: str | Path | float = DEV_FRACTION,
    *,
    form: TableFormat | None = None,
    **choices: Any,
) -> Task:
    """Load a task from the user's own CSV, TSV, JSON or Parquet file (also `.gz`).

    Args:
        train: File with the training examples.
        dev: File with the dev examples, or the fraction in (0, 1) of `train` to hold out.
        form: Encoding, delimiter, quotes and header of the files; None infers them.
        **choices: Fields of `ColumnChoices`.

    Returns:
        The task, called "own". What was inferred is in its notes and in the log.

    Raises:
        DataError: A file, column or row cannot be used; the message has its location.
        ConfigError: A choice is outside its range, or does not apply to the files.
    """
    file = Path(dev) if isinstance(dev, str | Path) else None
    fraction = DEV_FRACTION if isinstance(dev, str | Path) else dev
    chosen = ColumnChoices(dev_fraction=fraction, **choices)
    form = form or TableFormat()
    tables = {
        split: open_rows(path, form, same_keys=False)
        for split, path in (("train", Path(train)), ("dev", file))
        if path is not None
    }
    source = f"{train} and {dev}" if file else str(train)
    return custom_task(tables, name="own", source=source, choices=chosen).log_notes()
