"""Tasks from the user's own files; columns that are not named are inferred, with a note."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset

from lmdistill.core.errors import DataError
from lmdistill.data.files.formats import open_rows
from lmdistill.data.files.table import Rows
from lmdistill.data.files.table_format import TableFormat
from lmdistill.data.tasks.build_examples import ColumnMapping, RowFlaw, build_examples, require_rows
from lmdistill.data.tasks.column_choices import DEV_FRACTION, ColumnChoices
from lmdistill.data.tasks.column_inference import label_columns, text_columns
from lmdistill.data.tasks.dev_split import equal_texts, hold_out_dev
from lmdistill.data.tasks.label_inference import column_statistics
from lmdistill.data.tasks.label_names import KindAndLabels, kind_and_labels, several_labels
from lmdistill.data.tasks.label_sets import LabelSetFormat, holds_lists, label_set_statistics
from lmdistill.data.tasks.subsample import labels_of, require_classes
from lmdistill.data.tasks.task import Task
from lmdistill.data.tasks.task_spec import USUAL_METRICS, TaskSpec
from lmdistill.data.tasks.text_hashes import text_hashes

TEST = ", test "
"""What stands between the files of a task and its test file in a record."""


def _columns(rows: Rows, choices: ColumnChoices) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The text columns and the label columns."""
    joined = choices.join is not None
    try:
        labels = label_columns(rows.fieldnames, choices.label, choices.text, joined=joined)
        others = [name for name in rows.fieldnames if choices.text or name not in labels[1:]]
        texts = text_columns(others, choices.text, labels[0], joined=joined)
    except DataError as error:
        raise DataError(" ".join(part for part in (f"{rows.name}: {error}", rows.hint) if part)) from None
    for label in labels:
        if label in texts:
            raise DataError(
                f"{rows.name}: the column {label!r} cannot be both text and label. Set data.label to another "
                "one."
            )
    return texts, labels


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
    texts, labels = _columns(rows, choices)
    if (
        choices.kind == "multilabel"
        or choices.several
        or (choices.kind is None and holds_lists(rows, labels[0]))
    ):
        found = _several(rows, texts, labels, choices)
    else:
        found = _one(rows, texts, labels[0], choices)
    notes = list(rows.notes)
    if choices.text is None and found.second_blank:
        notes.append(f"{texts[1]!r} is empty in every row, so examples are single texts")
        texts = texts[:1]
    if choices.text is None:
        notes.append(f"text from {' and '.join(map(repr, texts))} (inferred)")
    if choices.label is None:
        notes.append(f"label from {labels[0]!r} (inferred)")
    mapping = ColumnMapping(
        spec=_spec(name, texts, found.labels, choices.join),
        texts=texts,
        join=choices.join,
        label=labels[0] if found.sets is None else None,
        aliases=found.labels.aliases,
        sets=found.sets,
        missing=found.missing,
        tolerated=choices.flaws,
    )
    return mapping, (*notes, *found.labels.notes)


@dataclass(frozen=True, kw_only=True)
class _FoundLabels:
    """What the labels of a table are, and how they are written."""

    labels: KindAndLabels
    sets: LabelSetFormat | None = None
    missing: frozenset[str] = frozenset()
    second_blank: bool


def _one(rows: Rows, texts: Sequence[str], label: str, choices: ColumnChoices) -> _FoundLabels:
    """One label a text, or a score."""
    statistics = column_statistics(rows, texts, label, known=tuple(choices.labels or ()))
    found = kind_and_labels(rows, label, statistics, kind=choices.kind, labels=choices.labels)
    return _FoundLabels(labels=found, missing=statistics.missing, second_blank=statistics.second_blank)


def _several(
    rows: Rows, texts: Sequence[str], columns: tuple[str, ...], choices: ColumnChoices
) -> _FoundLabels:
    """Any number of labels a text."""
    form = LabelSetFormat(columns=columns, separator=choices.label_separator)
    statistics = label_set_statistics(rows, texts, form)
    is_inferred = choices.kind is None and not choices.several
    reason = f" (inferred: {columns[0]!r} holds lists)" if is_inferred else ""
    found, form = several_labels(rows, form, statistics, choices.labels, reason=reason)
    return _FoundLabels(labels=found, sets=form, second_blank=statistics.second_blank)


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
    for column in (*mapping.texts, *mapping.label_columns):
        if column not in rows.fieldnames:
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
    scored_test: bool = False,
) -> Task:
    """Build a task from tables of train, dev and test rows.

    Without a dev table, a part of the training rows is held out. The test table may lack labels, unless it is
    to be scored: it is then the last split to evaluate on, and chooses nothing.

    Args:
        tables: Split -> table; "train" is required, "dev" and "test" are optional.
        name: Name of the task.
        source: Origin of the tables, for messages and records.
        choices: What the user specified about the columns.
        tolerated: Flaws for which a row of train or dev is dropped and counted, besides those of `choices`.
        scored_test: Whether the test rows have labels and are scored.

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
        if split == "test" and not scored_test:
            is_labelled = all(column in rows.fieldnames for column in mapping.label_columns)
            split_mapping = mapping if is_labelled else mapping.without_labels()
            split_mapping = replace(split_mapping, tolerated=("empty", "unlabelled"), drop=False)
        _require_columns(rows, split_mapping)
        splits[split], split_notes = build_examples(rows, split_mapping)
        notes += (*(rows.notes if split != "train" else ()), *split_notes)
    require_classes(splits["train"], mapping.spec, source)
    if scored_test:
        splits["train"], test_notes = _apart_from(splits["train"], splits["test"], "test", choices)
        notes += test_notes
    splits, split_notes = _with_dev(splits, choices)
    if scored_test:
        split_notes += _shared_with_dev(splits)
        spec = replace(mapping.spec, splits=("dev", "test"))
    else:
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
        train, dev_notes = _apart_from(train, splits["dev"], "dev", choices)
        return {**splits, "train": train}, (*notes, *dev_notes)
    kept, held_out = hold_out_dev(train, choices.dev_fraction, seed=choices.seed, equal=equal)
    notes.append(
        f"no dev data given: {held_out.num_rows} of the {train.num_rows} training rows are held out at "
        f"random (fraction {choices.dev_fraction:g}, seed {choices.seed}), a share of each class or "
        "range of scores"
    )
    return {**splits, "train": kept, "dev": held_out}, tuple(notes)


def _apart_from(
    train: Dataset, judged: Dataset, name: str, choices: ColumnChoices
) -> tuple[Dataset, tuple[str, ...]]:
    """The training rows, if that is wanted without those whose texts judge a model; and a note on these."""
    is_shared = np.isin(text_hashes(train), text_hashes(judged))
    if not is_shared.any():
        return train, ()
    drops = "duplicates" in choices.drop
    action = " and are dropped there" if drops else f", so {name} scores are too good"
    note = f"the texts of {int(is_shared.sum())} training rows are also in {name}{action}"
    return (train.select(np.flatnonzero(~is_shared)) if drops else train), (note,)


def _shared_with_dev(splits: Mapping[str, Dataset]) -> tuple[str, ...]:
    """A note if dev, which may choose the weights, shares texts with test."""
    shared = int(np.isin(text_hashes(splits["dev"]), text_hashes(splits["test"])).sum())
    return (f"the texts of {shared} dev rows are also in test, so dev knows them",) if shared else ()


def load_custom_files(
    train: str | Path,
    dev: str | Path | float = DEV_FRACTION,
    *,
    test: str | Path | None = None,
    form: TableFormat | None = None,
    **choices: Any,
) -> Task:
    """Load a task from the user's own CSV, TSV, JSON or Parquet file (also `.gz`).

    Args:
        train: File with the training examples.
        dev: File with the dev examples, or the fraction in (0, 1) of `train` to hold out.
        test: File with labelled test examples, which are scored and choose nothing.
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
        split: open_rows(Path(path), form, same_keys=False)
        for split, path in (("train", Path(train)), ("dev", file), ("test", test))
        if path is not None
    }
    source = f"{train} and {dev}" if file else str(train)
    if test is not None:
        source = f"{source}{TEST}{test}"
    task = custom_task(tables, name="own", source=source, choices=chosen, scored_test=test is not None)
    return task.log_notes()
