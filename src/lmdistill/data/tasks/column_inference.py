"""Inference of the text and label columns of a user's table, of the kind of task and of the label names."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from lmdistill.core.errors import DataError
from lmdistill.data.files.table import Rows
from lmdistill.data.tasks.task_spec import Kind

PAIRS = (
    ("sentence1", "sentence2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("question", "answer"),
    ("query", "passage"),
    ("text1", "text2"),
    ("text_a", "text_b"),
)
TEXTS = (
    "text",
    "sentence",
    "review",
    "content",
    "comment",
    "body",
    "document",
    "message",
    "utterance",
    "tweet",
)
LABELS = (
    *("label", "labels", "class", "category", "target", "gold_label", "sentiment", "intent", "topic"),
    *("score", "rating", "stars", "y"),
)
ROW_NUMBERS = ("", "id", "idx", "index", "unnamed: 0", "row")
"""Names of columns that only number the rows."""

MOST_CLASSES = 1000
"""Maximum number of classes; more different labels are an error."""

MOST_WHOLE_SCORES = 20
"""Up to this many different whole numbers as labels are taken for classes, more for scores."""


def _require_column(columns: Sequence[str], name: str) -> str:
    """`name`, if it is a column; else an error that lists the columns."""
    if name in columns:
        return name
    similar = difflib.get_close_matches(name, columns, n=1)
    hint = f" Did you mean {similar[0]!r}?" if similar else ""
    raise DataError(f"there is no column {name!r}.{hint} The columns are: {', '.join(columns)}.")


def _first(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The column whose lower-case name is the first of `names` that occurs; None if none occurs."""
    by_name = {column.lower(): column for column in reversed(columns)}
    return next((by_name[name] for name in names if name in by_name), None)


def text_columns(
    columns: Sequence[str], text: str | Sequence[str] | None = None, label: str | None = None
) -> tuple[str, ...]:
    """The one or two text columns of a table.

    Args:
        columns: All columns, in order.
        text: One or two of them if the user named them; None uses the first pair of `PAIRS` that occurs,
            else the first of `TEXTS`, else the only column that is neither the label nor a row number.
        label: The label column, if known.

    Raises:
        DataError: A named column does not exist, or the text column cannot be inferred.

    Examples:
        >>> text_columns(["id", "Premise", "Hypothesis", "label"])
        ('Premise', 'Hypothesis')
        >>> text_columns(["note", "topic"], label="topic")
        ('note',)
    """
    if text is not None:
        names = (text,) if isinstance(text, str) else tuple(text)
        if not 1 <= len(names) <= 2 or len(set(names)) != len(names):
            raise DataError(
                f"text={text!r} names {len(names)} columns, but an example has one or two texts. "
                "Name one or two different columns."
            )
        return tuple(_require_column(columns, name) for name in names)
    rest = [column for column in columns if column != label]
    for pair in PAIRS:
        first, second = (_first(rest, [name]) for name in pair)
        if first is not None and second is not None:
            return (first, second)
    single = _first(rest, TEXTS)
    if single is not None:
        return (single,)
    rest = [column for column in rest if column.lower() not in (*ROW_NUMBERS, *LABELS)]
    if len(rest) != 1:
        raise DataError(
            f"it is not clear which column holds the text; the columns are: {', '.join(columns)}. "
            "Name it with text=, or two columns for text pairs."
        )
    return (rest[0],)


def label_column(
    columns: Sequence[str], label: str | None = None, text: str | Sequence[str] | None = None
) -> str:
    """The label column of a table.

    Args:
        columns: All columns, in order.
        label: One of them if the user named it; None uses the first of `LABELS` that occurs, else the only
            column that is neither a text nor a row number.
        text: The text columns if the user named them.

    Raises:
        DataError: The named column does not exist, or the label column cannot be inferred.

    Examples:
        >>> label_column(["text", "Category"]), label_column(["text", "species"])
        ('Category', 'species')
    """
    if label is not None:
        return _require_column(columns, label)
    named = () if text is None else text_columns(columns, text)
    by_name = _first([column for column in columns if column not in named], LABELS)
    if by_name is not None:
        return by_name
    texts = named or text_columns(columns) if _obvious(columns) or named else ()
    rest = [column for column in columns if column not in texts and column.lower() not in ROW_NUMBERS]
    if not texts or len(rest) != 1:
        raise DataError(
            f"it is not clear which column holds the label; the columns are: {', '.join(columns)}. "
            "Name it with label=."
        )
    return rest[0]


def _obvious(columns: Sequence[str]) -> bool:
    """Whether a text column can be identified by its name alone."""
    return _first(columns, TEXTS) is not None or any(
        all(_first(columns, [name]) is not None for name in pair) for pair in PAIRS
    )


@dataclass(frozen=True, kw_only=True)
class ColumnStatistics:
    """Statistics of the label and text columns of a table, from one pass over it."""

    num_rows: int
    """Number of rows, including those without a label."""

    values: tuple[str, ...]
    """The different labels in order of appearance; at most `MOST_CLASSES` + 1 of them."""

    numeric: bool
    """Whether every label is a number."""

    whole: bool
    """Whether every label is a whole number."""

    second_blank: bool
    """Whether the second text is empty in every row."""


def _number(text: str) -> float | None:
    """The text as a number; None if it is none."""
    try:
        return float(text)
    except ValueError:
        return None


def column_statistics(rows: Rows, texts: Sequence[str], label: str) -> ColumnStatistics:
    """Statistics of a table, from one pass over it; memory use does not grow with the number of rows.

    Args:
        rows: The table.
        texts: Its one or two text columns.
        label: Its label column.
    """
    values: dict[str, None] = {}
    num_rows, numeric, whole, second_blank = 0, True, True, len(texts) == 2
    for row in rows.read():
        num_rows += 1
        value = row.fields[label].strip()
        second_blank = second_blank and not row.fields[texts[1]].strip()
        if not value or value in values:
            continue
        number = _number(value)
        numeric &= number is not None
        whole &= number is not None and number.is_integer()
        if len(values) <= MOST_CLASSES:
            values[value] = None
    has_labels = bool(values)
    return ColumnStatistics(
        num_rows=num_rows,
        values=tuple(values),
        numeric=numeric and has_labels,
        whole=whole and has_labels,
        second_blank=second_blank and num_rows > 0,
    )


def infer_kind(statistics: ColumnStatistics) -> Kind:
    """The kind of task that the labels suggest.

    Args:
        statistics: Of the label column.

    Returns:
        "regression" if every label is a number and they have decimals or more than 20 different values;
        else "classification".
    """
    if statistics.numeric and not (statistics.whole and len(statistics.values) <= MOST_WHOLE_SCORES):
        return "regression"
    return "classification"


def label_names(values: Sequence[str]) -> tuple[str, ...]:
    """The labels in order: by value if all are numbers, else alphabetically.

    Examples:
        >>> label_names(["10", "9"]), label_names(["b", "a"])
        (('9', '10'), ('a', 'b'))
    """
    if all(_number(value) is not None for value in values):
        return tuple(sorted(values, key=lambda value: (float(value), value)))
    return tuple(sorted(values))
