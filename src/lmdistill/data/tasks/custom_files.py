"""The user's own data: one or two files with the columns named, or inferred and said aloud."""

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


@dataclass(frozen=True, kw_only=True)
class ColumnChoices:
    """What the user says of a table of their own; None leaves it to be inferred."""

    text: str | Sequence[str] | None = None
    """Text column, or two for pairs."""

    label: str | None = None
    """Label column."""

    kind: str | None = None
    """Classes or scores."""

    labels: Sequence[str] | None = None
    """Label names in the order of the model's outputs."""

    dev_fraction: float = DEV_FRACTION
    """Share of the rows to hold out when there is no dev split, in (0, 1)."""

    seed: int = 0
    """Seed of the rows to hold out."""

    def __post_init__(self) -> None:
        if self.kind not in (None, "classification", "regression"):
            raise ConfigError(f"kind is {self.kind!r}; it must be 'classification' or 'regression'.")
        if not 0 < self.dev_fraction < 1:
            raise ConfigError(f"the fraction to hold out must lie between 0 and 1, got {self.dev_fraction}.")
        if self.labels is not None and len(set(self.labels)) != len(self.labels):
            raise ConfigError(f"labels names one twice: {list(self.labels)}. Name each label once.")


def _placed(rows: Rows, error: DataError) -> DataError:
    """The same error with the name of the table."""
    return DataError(f"{rows.name}: {error}")


def _columns(rows: Rows, choices: ColumnChoices) -> tuple[tuple[str, ...], str]:
    """Text columns and label column."""
    try:
        label = label_column(rows.fieldnames, choices.label, choices.text)
        texts = text_columns(rows.fieldnames, choices.text, label)
    except DataError as error:
        raise _placed(rows, error) from None
    if label in texts:
        raise DataError(
            f"{rows.name}: the column {label!r} cannot be both text and label. Name another label column."
        )
    return texts, label


def _labels(rows: Rows, label: str, found: ColumnStatistics, choices: ColumnChoices) -> tuple[str, ...]:
    """Names of the classes, in order."""
    if choices.labels is not None:
        return tuple(choices.labels)
    names = dict(rows.classes).get(label) or label_names(found.values)
    if len(names) > MOST_CLASSES:
        raise DataError(
            f"{rows.name}: {label!r} holds more than {MOST_CLASSES} different labels "
            f"({', '.join(names[:3])} ...). Name the label column with label=, or say kind='regression'."
        )
    if len(names) < 2:
        raise DataError(
            f"{rows.name}: {label!r} holds a single class ({', '.join(names) or 'no label at all'}); "
            "a classifier needs two. Add examples of another class."
        )
    return names


def _kind(rows: Rows, label: str, found: ColumnStatistics, choices: ColumnChoices) -> Kind:
    """Classes or scores: as the user says, as the file's own types say, or by the look of the labels."""
    if choices.kind is not None:
        return "regression" if choices.kind == "regression" else "classification"
    return "classification" if choices.labels or label in dict(rows.classes) else infer_kind(found)


def infer_columns(rows: Rows, name: str, choices: ColumnChoices) -> tuple[ColumnMapping, tuple[str, ...]]:
    """Read a training table once and say what its columns are.

    Returns:
        How to read it, and notes on everything that the user did not name.
    """
    texts, label = _columns(rows, choices)
    require_rows(rows)
    found = column_statistics(rows, texts, label)
    notes = list(rows.notes)
    if choices.text is None and found.second_blank:
        notes.append(f"{texts[1]!r} is empty in every row, so examples are single texts")
        texts = texts[:1]
    if choices.text is None:
        notes.append(f"text from {' and '.join(map(repr, texts))} (inferred)")
    if choices.label is None:
        notes.append(f"label from {label!r} (inferred)")
    kind = _kind(rows, label, found, choices)
    said = "" if choices.kind else " (inferred)"
    labels = _labels(rows, label, found, choices) if kind == "classification" else ()
    classes = f" with {len(labels)} classes in this order: {', '.join(labels)}" if labels else ""
    notes.append(f"{kind}{classes}{said}")
    absent = [name for name in labels if name not in found.values]
    if absent:
        notes.append(f"no training example has the label {', '.join(absent)}")
    metrics = ("accuracy", "matthews") if kind == "classification" else ("pearson", "spearman")
    spec = TaskSpec(name=name, kind=kind, columns=texts, labels=labels, metrics=metrics, test_splits=())
    return ColumnMapping(spec=spec, texts=texts, label=label), tuple(notes)


def _require_columns(rows: Rows, reading: ColumnMapping) -> None:
    """Refuse a further table without the columns of the training table."""
    for column in (*reading.texts, reading.label):
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
    """A task from tables called train, dev (else split off from train) and test (may lack labels).

    Args:
        tables: Rows by split; train must be there.
        name: What the task is called.
        source: Where the tables come from, for records.
        choices: What the user says of the columns.
        tolerated: Flaws that drop a row of train and dev, counted, instead of stopping.
    """
    reading, notes = infer_columns(tables["train"], name, choices)
    reading = replace(reading, tolerated=tolerated)
    splits: dict[str, Dataset] = {}
    for split, rows in tables.items():
        held = reading
        if split == "test":
            label = reading.label if reading.label in rows.fieldnames else None
            held = replace(reading, label=label, tolerated=("empty", "unlabelled"), drop=False)
        _require_columns(rows, held)
        splits[split], said = build_examples(rows, held)
        notes += said
    require_classes(splits["train"], reading.spec, source)
    if "dev" not in splits:
        total = splits["train"].num_rows
        splits["train"], splits["dev"] = hold_out_dev(
            splits["train"], choices.dev_fraction, seed=choices.seed
        )
        notes += (
            f"no dev data given: {splits['dev'].num_rows} of the {total} training rows "
            f"are held out at random (fraction {choices.dev_fraction:g}, seed {choices.seed})",
        )
    spec = replace(reading.spec, test_splits=("test",) if "test" in splits else ())
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
    """A task from the user's own CSV, TSV, JSON lines or Parquet file (also `.gz`).

    Args:
        train: File with the training examples.
        dev: File with the examples to evaluate on, or the fraction in (0, 1) of `train` to hold out.
        text: Text column, or two for pairs; None infers it from the names.
        label: Label column; None infers it from the names.
        kind: "classification" or "regression"; None: scores if the labels are numbers with decimals or
            more than 20 different whole ones.
        labels: Label names in the order of the model's outputs; None sorts them.
        seed: Seed of the rows to hold out.

    Returns:
        The task, called "own"; what was inferred is in its notes and in the log.

    Raises:
        DataError: A file, column or row that cannot be used, with its place.
    """
    file = Path(dev) if isinstance(dev, str | Path) else None
    fraction = DEV_FRACTION if isinstance(dev, str | Path) else dev
    choices = ColumnChoices(
        text=text, label=label, kind=kind, labels=labels, dev_fraction=fraction, seed=seed
    )
    tables = {"train": open_rows(Path(train))} | ({"dev": open_rows(file)} if file else {})
    source = f"{train} and {dev}" if file else str(train)
    return custom_task(tables, name="own", source=source, choices=choices).log_notes()
