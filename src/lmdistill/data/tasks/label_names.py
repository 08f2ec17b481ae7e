"""The kind of a user's task and its labels in order, from their settings and from the label column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.data.files.table import Rows
from lmdistill.data.tasks.label_inference import (
    MOST_CLASSES,
    ColumnStatistics,
    infer_kind,
    label_names,
    merged_labels,
    positions_of_names,
)
from lmdistill.data.tasks.label_matching import normalized_name
from lmdistill.data.tasks.label_sets import LabelSetFormat, LabelSetStatistics
from lmdistill.data.tasks.task_spec import Kind


@dataclass(frozen=True, kw_only=True)
class KindAndLabels:
    """What the labels of a table are."""

    kind: Kind
    """One class for a text, any number of labels, or scores."""

    labels: tuple[str, ...] = ()
    """Label names in the order of the model's outputs; () for scores."""

    aliases: tuple[tuple[str, str], ...] = ()
    """(text in the file, label) of labels that the file writes in another way."""

    notes: tuple[str, ...] = ()
    """What was inferred, one sentence each."""


def kind_and_labels(
    rows: Rows,
    column: str,
    statistics: ColumnStatistics,
    *,
    kind: str | None,
    labels: Sequence[str] | Mapping[str, str] | None,
) -> KindAndLabels:
    """The kind of task and its labels: the user's, else those of the file's types, else inferred ones.

    Args:
        rows: The training table, for its name and its types.
        column: The label column.
        statistics: Of the label column.
        kind: "classification" or "regression" if the user said so.
        labels: Label names in order, or label in the file -> name, if the user said so.

    Raises:
        DataError: There are fewer than two classes, or too many.
        ConfigError: Names are given for scores.
    """
    declared = dict(rows.classes).get(column, ())
    if kind is not None:
        chosen: Kind = "regression" if kind == "regression" else "classification"
        origin = ""
    elif labels or declared:
        chosen, origin = "classification", " (inferred)"
    else:
        chosen, reason = infer_kind(statistics)
        origin = f" (inferred{reason})"
    if chosen == "regression":
        if labels:
            raise ConfigError("data.labels names classes and data.kind is regression. Leave one of them out.")
        return KindAndLabels(kind=chosen, notes=(f"regression{origin}",))
    found = _named(statistics, labels) if labels else _inferred(statistics, declared)
    _require_some(rows, column, found.labels)
    notes = [
        f"classification with {len(found.labels)} classes in this order: {', '.join(found.labels)}{origin}",
        *found.notes,
        *_absent(statistics, found),
    ]
    return KindAndLabels(kind=chosen, labels=found.labels, aliases=found.aliases, notes=tuple(notes))


def _absent(statistics: ColumnStatistics | LabelSetStatistics, found: KindAndLabels) -> list[str]:
    """A note on the labels that no example has."""
    here = {
        normalized_name(name) for text in statistics.values for name in (dict(found.aliases).get(text, text),)
    }
    absent = [name for name in found.labels if normalized_name(name) not in here]
    return [f"no training example has the label {', '.join(absent)}"] if absent else []


def several_labels(
    rows: Rows,
    form: LabelSetFormat,
    statistics: LabelSetStatistics,
    labels: Sequence[str] | Mapping[str, str] | None,
    *,
    reason: str = "",
) -> tuple[KindAndLabels, LabelSetFormat]:
    """The labels of a multi-label task, and how the table writes them.

    They have the order of the user's names or of the columns of 0 and 1, else that of their names.

    Args:
        rows: The training table, for its name and its types.
        form: How the table writes labels.
        statistics: Of these labels.
        labels: Label names in order, or label in the file -> name, if the user said so.
        reason: Why the task is taken for one with several labels, for the note.

    Raises:
        DataError: There are fewer than two labels, or too many.
        ConfigError: The names of a list of numbers are missing, or those of columns differ from the columns.
    """
    columns = form.columns
    if statistics.width is not None:
        names = tuple(labels or ())
        _require_names(rows, columns[0], statistics.width, names)
        form, found = replace(form, positions=names), KindAndLabels(kind="multilabel", labels=names)
    elif len(columns) > 1:
        found = _of_columns(columns, labels)
    elif labels:
        found = _named(statistics, labels)
    else:
        found = _inferred(statistics, dict(rows.classes).get(columns[0], ()))
    _require_several(rows, columns[0], found.labels)
    notes = [
        f"multi-label with {len(found.labels)} labels in this order: {', '.join(found.labels)}{reason}",
        f"{statistics.without} of {statistics.num_rows} rows have none of them",
        *found.notes,
        *([] if form.positions else _absent(statistics, found)),
    ]
    return replace(found, kind="multilabel", notes=tuple(notes)), form


def _of_columns(columns: Sequence[str], labels: Sequence[str] | Mapping[str, str] | None) -> KindAndLabels:
    """The labels that columns of 0 and 1 are for."""
    if labels and set(labels) != set(columns):
        raise ConfigError(
            f"data.labels names {', '.join(labels)}, and the columns of data.label are {', '.join(columns)}. "
            "Name these, or leave data.labels out."
        )
    if isinstance(labels, Mapping):
        return KindAndLabels(kind="multilabel", labels=tuple(labels.values()), aliases=tuple(labels.items()))
    return KindAndLabels(kind="multilabel", labels=tuple(labels or columns))


def _require_names(rows: Rows, column: str, width: int, names: Sequence[str]) -> None:
    """Check that there is a name for each of the numbers 0 and 1 of a list."""
    if len(names) != width:
        named = f"data.labels names {len(names)}" if names else "data.labels names none"
        raise ConfigError(
            f"{rows.name}: {column!r} holds lists of {width} numbers 0 or 1, and {named}. Set data.labels to "
            "the names of the labels, in the order of the numbers."
        )


def _require_several(rows: Rows, column: str, labels: Sequence[str]) -> None:
    """Check that there are at least two labels, and not too many."""
    if len(labels) > MOST_CLASSES:
        raise DataError(
            f"{rows.name}: {column!r} holds more than {MOST_CLASSES} different labels "
            f"({', '.join(labels[:3])} ...). Set data.label to the column of the labels."
        )
    if len(labels) < 2:
        raise DataError(
            f"{rows.name}: {column!r} holds {len(labels)} different labels ({', '.join(labels) or 'none'}); "
            "a multi-label task needs two. Name all labels in data.labels, or use data.kind: classification."
        )


def _named(
    statistics: ColumnStatistics | LabelSetStatistics, labels: Sequence[str] | Mapping[str, str]
) -> KindAndLabels:
    """The labels that the user named."""
    if isinstance(labels, Mapping):
        names = tuple(dict.fromkeys(labels.values()))
        return KindAndLabels(kind="classification", labels=names, aliases=tuple(labels.items()))
    numbered = positions_of_names(statistics.values, labels)
    told = ", ".join(f"{text} is {name}" for text, name in numbered.items())
    notes = (f"class numbers have the order of data.labels: {told}",) if numbered else ()
    return KindAndLabels(
        kind="classification", labels=tuple(labels), aliases=tuple(numbered.items()), notes=notes
    )


def _inferred(statistics: ColumnStatistics | LabelSetStatistics, declared: tuple[str, ...]) -> KindAndLabels:
    """The labels of the file's types, or of its rows, where other spellings of a label are the same one."""
    if declared:
        return KindAndLabels(kind="classification", labels=declared)
    merged = merged_labels(statistics.counts)
    aliases = tuple((text, name) for text, name in merged.items() if text != name)
    told = ", ".join(f"{text!r} is {name!r}" for text, name in aliases[:10])
    notes = (f"labels of several spellings are one class: {told}",) if aliases else ()
    return KindAndLabels(
        kind="classification", labels=label_names(tuple(set(merged.values()))), aliases=aliases, notes=notes
    )


def _require_some(rows: Rows, column: str, labels: Sequence[str]) -> None:
    """Check that there are at least two classes, and not too many."""
    if len(labels) > MOST_CLASSES:
        raise DataError(
            f"{rows.name}: {column!r} holds more than {MOST_CLASSES} different labels "
            f"({', '.join(labels[:3])} ...). Set data.label to the label column, or data.kind to regression."
        )
    if len(labels) < 2:
        raise DataError(
            f"{rows.name}: {column!r} holds a single class ({', '.join(labels) or 'no label at all'}); "
            "a classifier needs two. Add examples of another class."
        )
