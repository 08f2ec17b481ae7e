"""Inference of the kind of a task and of its classes from the label column of a user's table."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from lmdistill.core.errors import DataError
from lmdistill.data.files.table import Row, Rows, nested
from lmdistill.data.tasks.label_matching import normalized_name
from lmdistill.data.tasks.task_spec import Kind

MOST_CLASSES = 1000
"""Maximum number of classes; more different labels are an error."""

MOST_WHOLE_SCORES = 20
"""Up to this many different whole numbers with gaps are taken for classes, more for scores."""

NO_LABEL = frozenset({"nan", "<na>"})
"""Texts, in lower case, that stand for a missing label in any column, as pandas writes them."""

NO_NUMBER = frozenset({"na", "n/a", "#n/a", "none", "null", "-"})
"""Texts, in lower case, that stand for a missing label if all other labels are numbers."""


@dataclass(frozen=True, kw_only=True)
class ColumnStatistics:
    """Statistics of the label and text columns of a table, from one pass over it."""

    num_rows: int
    """Number of rows, including those without a label."""

    counts: Mapping[str, int]
    """Label -> number of rows, in order of appearance; at most `MOST_CLASSES` + 1 labels."""

    missing: frozenset[str]
    """Texts in the label column that stand for a missing label."""

    numeric: bool
    """Whether every label is a number."""

    whole: bool
    """Whether every label is a whole number."""

    second_blank: bool
    """Whether the second text is empty in every row."""

    @property
    def values(self) -> tuple[str, ...]:
        """The different labels."""
        return tuple(self.counts)


def number_in(text: str) -> float | None:
    """The text as a number; None if it is none."""
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def require_single_label(row: Row, column: str, location: str) -> None:
    """Check that a cell of the label column holds one label, not several and not probabilities.

    Raises:
        DataError: It holds a list or an object.
    """
    value = (row.values or {}).get(column)
    if not nested(value):
        return
    if isinstance(value, Mapping):
        raise DataError(
            f"{location}: {column!r} holds {nested(value)}, where one label is needed. Probabilities of "
            "classes cannot be learned yet; write the most probable class into a column of its own."
        )
    raise DataError(
        f"{location}: {column!r} holds {nested(value)}, where one label is needed. If a text can have "
        "several labels, set data.kind: multilabel; else keep one of them."
    )


def require_plain_text(row: Row, column: str, location: str) -> None:
    """Check that a cell of a text column holds a text.

    Raises:
        DataError: It holds a list, an object or bytes.
    """
    problem = nested((row.values or {}).get(column))
    if problem:
        raise DataError(
            f"{location}: {column!r} holds {problem}, where a text is needed. Write the text into a column "
            "of its own, and set data.text to that."
        )


def column_statistics(
    rows: Rows, texts: Sequence[str], label: str, known: Collection[str] = ()
) -> ColumnStatistics:
    """Statistics of a table, from one pass over it; memory use does not grow with the number of rows.

    Args:
        rows: The table.
        texts: Its text columns.
        label: Its label column.
        known: Labels that the user named; they are never taken for missing ones.

    Raises:
        DataError: A cell of these columns holds a list or an object; the message has its location.
    """
    counts: dict[str, int] = {}
    num_rows, second_blank = 0, len(texts) == 2
    for row in rows.read():
        num_rows += 1
        location = rows.location(row.number)
        for column in texts:
            require_plain_text(row, column, location)
        require_single_label(row, label, location)
        value = row.fields.get(label, "").strip()
        second_blank = second_blank and not row.fields.get(texts[1], "").strip()
        is_known = value in counts or value.casefold() in NO_LABEL | NO_NUMBER
        if value and (is_known or len(counts) <= MOST_CLASSES):
            counts[value] = counts.get(value, 0) + 1
    named = set(known)
    missing = {text for text in counts if text.casefold() in NO_LABEL and text not in named}
    blanks = {text for text in counts if text.casefold() in NO_NUMBER and text not in named}
    numbers = [number_in(text) for text in counts if text not in missing | blanks]
    numeric = bool(numbers) and None not in numbers
    missing |= blanks if numeric else set()
    return ColumnStatistics(
        num_rows=num_rows,
        counts={text: count for text, count in counts.items() if text not in missing},
        missing=frozenset(missing),
        numeric=numeric,
        whole=numeric and all(number is not None and number.is_integer() for number in numbers),
        second_blank=second_blank and num_rows > 0,
    )


def infer_kind(statistics: ColumnStatistics) -> tuple[Kind, str]:
    """The kind of task that the labels suggest, and why.

    Args:
        statistics: Of the label column.

    Returns:
        The kind, and the reason with the setting that changes it; "" if the labels are words. Whole numbers
        without gaps from 0 or 1 are class numbers. Other numbers are scores if they have decimals or more
        than 20 different values.
    """
    if not statistics.numeric:
        return "classification", ""
    if not statistics.whole:
        return (
            "regression",
            ": labels are numbers with decimals; data.kind: classification makes them classes",
        )
    numbers = sorted({float(text) for text in statistics.values})
    low, high = numbers[0], numbers[-1]
    span = f"the whole numbers from {low:g} to {high:g}"
    if low in (0.0, 1.0) and high - low + 1 == len(numbers) <= MOST_CLASSES:
        return "classification", f": labels are {span} without gaps; data.kind: regression makes them scores"
    if len(numbers) <= MOST_WHOLE_SCORES:
        reason = (
            f": labels are {len(numbers)} different whole numbers; data.kind: regression makes them scores"
        )
        return "classification", reason
    reason = f": labels are {len(numbers)} of {span}; data.kind: classification makes them classes"
    return "regression", reason


def label_names(values: Sequence[str]) -> tuple[str, ...]:
    """The labels in order: by value if all are numbers, else alphabetically.

    Examples:
        >>> label_names(["10", "9"]), label_names(["b", "a"])
        (('9', '10'), ('a', 'b'))
    """
    if all(number_in(value) is not None for value in values):
        return tuple(sorted(values, key=lambda value: (float(value), value)))
    return tuple(sorted(values))


def merged_labels(counts: Mapping[str, int]) -> dict[str, str]:
    """Label in the file -> class, where labels that differ in spelling only are one class.

    A class has the most frequent spelling. Numbers are written without a decimal point if any of them is
    spelt in several ways and all are whole.

    Args:
        counts: Label -> number of rows.

    Examples:
        >>> merged_labels({"0": 1, "0.0": 2, "1.0": 1}), merged_labels({"Pos": 1, "pos": 2, "neg": 1})
        ({'0': '0', '0.0': '0', '1.0': '1'}, {'Pos': 'pos', 'pos': 'pos', 'neg': 'neg'})
    """
    spellings: dict[str, list[str]] = {}
    for text in counts:
        spellings.setdefault(normalized_name(text), []).append(text)
    are_numbers = all(
        math.isfinite(number_in(text) or 0.0) and number_in(text) is not None for text in counts
    )
    if are_numbers and len(spellings) < len(counts):
        return {text: name for name, texts in spellings.items() for text in texts}
    return {
        text: max(texts, key=lambda spelling: (counts[spelling], spelling))
        for texts in spellings.values()
        for text in texts
    }


def positions_of_names(values: Collection[str], names: Sequence[str]) -> dict[str, str]:
    """Label in the file -> name, if the labels are class numbers and the names have their order; else empty.

    Numbers begin at 0, or at 1 if there is no 0 and the highest one is the number of names.

    Examples:
        >>> positions_of_names(["0", "1"], ["neg", "pos"]), positions_of_names(["1", "2"], ["neg", "pos"])
        ({'0': 'neg', '1': 'pos'}, {'1': 'neg', '2': 'pos'})
    """
    texts = {normalized_name(value) for value in values}
    if not all(text.isdecimal() and len(text) < 5 for text in texts) or texts & set(names):
        return {}
    numbers = {int(text) for text in texts}
    first = 0 if 0 in numbers else 1
    is_complete = max(numbers, default=-1) == len(names) if first else max(numbers) < len(names)
    if not is_complete:
        return {}
    return {str(number): name for number, name in enumerate(names, first)}
