"""Tasks from the user's own files; columns that are not named are inferred, with a note."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datasets import Dataset

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.data.files.formats import open_rows
from lmdistill.data.files.table import Rows
from lmdistill.data.tasks.build_examples import ColumnMapping, RowFlaw, build_examples, require_rows
from lmdistill.data.tasks.column_inference import (
    MOST_CLASSES,
    ColumnStatistics,
    column_statistics,
    infer_kind,
    label_column,
    label_names,
    text_columns,
)
from lmdistill.data.tasks.subsample import hold_out_dev, require_classes
from lmdistill.data.tasks.task import Task
from lmdistill.data.tasks.task_spec import Kind, TaskSpec

DEV_FRACTION = 0.1
"""Fraction of the training rows that is held out as dev set by default."""


@dataclass(frozen=True, kw_only=True)
class ColumnChoices:
    """What the user specified about their table; None means that it is inferred."""

    text: str | Sequence[str] | None = None
    """Name of the text column, or of two for text pairs."""

    label: str | None = None
    """Name of the label column."""

    kind: str | None = None
    """Kind of task: "classification" or "regression"."""

    labels: Sequence[str] | None = None
    """Label names in the order of the model's outputs."""

    dev_fraction: float = DEV_FRACTION
    """Fraction of the training rows to hold out if there is no dev split, in (0, 1)."""

    seed: int = 0
    """Random seed of the held-out rows."""

    def __post_init__(self) -> None:
        if self.kind not in (None, "classification", "regression"):
            raise ConfigError(f"kind is {self.kind!r}; it must be 'classification' or 'regression'.")
        if not 0 < self.dev_fraction < 1:
            raise ConfigError(f"the fraction to hold out must be between 0 and 1, got {self.dev_fraction}.")
        if self.labels is not None and len(set(self.labels)) != len(self.labels):
            raise ConfigError(f"labels has a duplicate: {list(self.labels)}. Name each label once.")


def _with_table_name(rows: Rows, error: DataError) -> DataError:
    """The error with the name of the table in front."""
    return DataError(f"{rows.name}: {error}")


def _columns(rows: Rows, choices: ColumnChoices) -> tuple[tuple[str, ...], str]:
    """The text columns and the label column."""
    try:
        label = label_column(rows.fieldnames, choices.label, choices.text)
        texts = text_columns(rows.fieldnames, choices.text, label)
    except DataError as error:
        raise _with_table_name(rows, error) from None
    if label in texts:
        raise DataError(
            f"{rows.name}: the column {label!r} cannot be both text and label. Name another label column."
        )
    return texts, label


def _labels(rows: Rows, label: str, statistics: ColumnStatistics, choices: ColumnChoices) -> tuple[str, ...]:
    """Names of the classes in order: the user's, else those of the file, else the sorted labels."""
    if choices.labels is not None:
        return tuple(choices.labels)
    names = dict(rows.classes).get(label) or label_names(statistics.values)
    if len(names) > MOST_CLASSES:
        raise DataError(
            f"{rows.name}: {label!r} holds more than {MOST_CLASSES} different labels "
            f"({', '.join(names[:3])} ...). Name the label column with label=, or set kind='regression'."
        )
    if len(names) < 2:
        raise DataError(
            f"{rows.name}: {label!r} holds a single class ({', '.join(names) or 'no label at all'}); "
            "a classifier needs two. Add examples of another class."
        )
    return names


def _kind(rows: Rows, label: str, statistics: ColumnStatistics, choices: ColumnChoices) -> Kind:
    """The kind of task: the user's, else that of the file's types, else what the labels suggest."""
    if choices.kind is not None:
        return "regression" if choices.kind == "regression" else "classification"
    return "classification" if choices.labels or label in dict(rows.classes) else infer_kind(statistics)


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
    texts, label = _columns(rows, choices)
    require_rows(rows)
    statistics = column_statistics(rows, texts, label)
    notes = list(rows.notes)
    if choices.text is None and statistics.second_blank:
        notes.append(f"{texts[1]!r} is empty in every row, so examples are single texts")
        texts = texts[:1]
    if choices.text is None:
        notes.append(f"text from {' and '.join(map(repr, texts))} (inferred)")
    if choices.label is None:
        notes.append(f"label from {label!r} (inferred)")
    kind = _kind(rows, label, statistics, choices)
    origin = "" if choices.kind else " (inferred)"
    labels = _labels(rows, label, statistics, choices) if kind == "classification" else ()
    classes = f" with {len(labels)} classes in this order: {', '.join(labels)}" if labels else ""
    notes.append(f"{kind}{classes}{origin}")
    absent = [name for name in labels if name not in statistics.values]
    if absent:
        notes.append(f"no training example has the label {', '.join(absent)}")
    metrics = ("accuracy", "matthews") if kind == "classification" else ("pearson", "spearman")
    spec = TaskSpec(name=name, kind=kind, columns=texts, labels=labels, metrics=metrics, test_splits=())
    return ColumnMapping(spec=spec, texts=texts, label=label), tuple(notes)


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
        tolerated: Flaws for which a row of train or dev is dropped and counted; others are errors.

    Returns:
        The task; notes say what was inferred, dropped and held out.

    Raises:
        DataError: A table, column or row cannot be used.
    """
    mapping, notes = infer_columns(tables["train"], name, choices)
    mapping = replace(mapping, tolerated=tolerated)
    splits: dict[str, Dataset] = {}
    for split, rows in tables.items():
        split_mapping = mapping
        if split == "test":
            label = mapping.label if mapping.label in rows.fieldnames else None
            split_mapping = replace(mapping, label=label, tolerated=("empty", "unlabelled"), drop=False)
        _require_columns(rows, split_mapping)
        splits[split], split_notes = build_examples(rows, split_mapping)
        notes += split_notes
    require_classes(splits["train"], mapping.spec, source)
    if "dev" not in splits:
        total = splits["train"].num_rows
        splits["train"], splits["dev"] = hold_out_dev(
            splits["train"], choices.dev_fraction, seed=choices.seed
        )
        notes += (
            f"no dev data given: {splits['dev'].num_rows} of the {total} training rows "
            f"are held out at random (fraction {choices.dev_fraction:g}, seed {choices.seed})",
        )
    spec = replace(mapping.spec, test_splits=("test",) if "test" in splits else ())
    return Task(spec=spec, splits=splits, source=source, notes=notes)


def load_custom_files(
    train: str | Path,
    dev: str | Path | float = DEV_FRACTION,
    *,
    text: str | Sequence[str] | None = None,
    label: str | None = None,
    kind: str | None = None,
    labels: Sequence[str] | None = None,
    seed: int = 0,
) -> Task:
    """Load a task from the user's own CSV, TSV, JSON lines or Parquet file (also `.gz`).

    Args:
        train: File with the training examples.
        dev: File with the dev examples, or the fraction in (0, 1) of `train` to hold out.
        text: Text column, or two for text pairs; None infers it from the column names.
        label: Label column; None infers it from the column names.
        kind: "classification" or "regression"; None infers regression if the labels are numbers with
            decimals or more than 20 different whole numbers.
        labels: Label names in the order of the model's outputs; None sorts them.
        seed: Random seed of the held-out rows.

    Returns:
        The task, called "own". What was inferred is in its notes and in the log.

    Raises:
        DataError: A file, column or row cannot be used; the message has its location.
    """
    file = Path(dev) if isinstance(dev, str | Path) else None
    fraction = DEV_FRACTION if isinstance(dev, str | Path) else dev
    choices = ColumnChoices(
        text=text, label=label, kind=kind, labels=labels, dev_fraction=fraction, seed=seed
    )
    tables = {"train": open_rows(Path(train))} | ({"dev": open_rows(file)} if file else {})
    source = f"{train} and {dev}" if file else str(train)
    return custom_task(tables, name="own", source=source, choices=choices).log_notes()
