"""Columns: which hold the texts and the label of a user's own table, and what the labels are."""

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
MOST_CLASSES = 1000
MOST_WHOLE_SCORES = 20


def _known(columns: Sequence[str], name: str) -> str:
    """A column that the user named; refused with the existing ones if there is none."""
    if name in columns:
        return name
    near = difflib.get_close_matches(name, columns, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise DataError(f"there is no column {name!r}.{hint} The columns are: {', '.join(columns)}.")


def _first(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The column with the first of `names` that occurs, upper or lower case."""
    by_name = {column.lower(): column for column in reversed(columns)}
    return next((by_name[name] for name in names if name in by_name), None)


def text_columns(
    columns: Sequence[str], text: str | Sequence[str] | None = None, label: str | None = None
) -> tuple[str, ...]:
    """The one or two columns that hold the texts.

    Args:
        columns: All columns, in order.
        text: One or two of them if the user named them; None takes the first pair of `PAIRS`, else the
            first of `TEXTS`, else the only column that is neither the label nor a row number.
        label: The label column, if known.

    Raises:
        DataError: A named column does not exist, or none is obvious.

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
                f"an example is one or two texts, and text={text!r} names {len(names)}. Name one or two."
            )
        return tuple(_known(columns, name) for name in names)
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
            "Name one, or two for pairs, with text=."
        )
    return (rest[0],)


def label_column(
    columns: Sequence[str], label: str | None = None, text: str | Sequence[str] | None = None
) -> str:
    """The column that holds the label.

    Args:
        columns: All columns, in order.
        label: One of them if the user named it; None takes the first of `LABELS`, else the only column
            that is neither a text nor a row number.
        text: The text columns if the user named them.

    Raises:
        DataError: The named column does not exist, or none is obvious.

    Examples:
        >>> label_column(["text", "Category"]), label_column(["text", "species"])
        ('Category', 'species')
    """
    if label is not None:
        return _known(columns, label)
    named = () if text is None else text_columns(columns, text)
    found = _first([column for column in columns if column not in named], LABELS)
    if found is not None:
        return found
    texts = named or text_columns(columns) if _obvious(columns) or named else ()
    rest = [column for column in columns if column not in texts and column.lower() not in ROW_NUMBERS]
    if not texts or len(rest) != 1:
        raise DataError(
            f"it is not clear which column holds the label; the columns are: {', '.join(columns)}. "
            "Name it with label=."
        )
    return rest[0]


def _obvious(columns: Sequence[str]) -> bool:
    """Whether a text column can be told by its name alone."""
    return _first(columns, TEXTS) is not None or any(
        all(_first(columns, [name]) is not None for name in pair) for pair in PAIRS
    )


@dataclass(frozen=True, kw_only=True)
class ColumnStatistics:
    """What one pass over a table finds in its label and text columns."""

    num_rows: int
    """Rows, those without a label included."""

    values: tuple[str, ...]
    """Different labels, at most one more than `MOST_CLASSES`, in the order of their first row."""

    numeric: bool
    """Whether every label is a number."""

    whole: bool
    """Whether every label is a whole number."""

    second_blank: bool
    """Whether the second text is empty in every row."""


def _number(text: str) -> float | None:
    """The text as a number, or None."""
    try:
        return float(text)
    except ValueError:
        return None


def column_statistics(rows: Rows, texts: Sequence[str], label: str) -> ColumnStatistics:
    """Read the table once; memory stays constant."""
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
    found = bool(values)
    return ColumnStatistics(
        num_rows=num_rows,
        values=tuple(values),
        numeric=numeric and found,
        whole=whole and found,
        second_blank=second_blank and num_rows > 0,
    )


def infer_kind(found: ColumnStatistics) -> Kind:
    """Scores if every label is a number and some are no whole ones, or more than 20 differ; else classes."""
    if found.numeric and not (found.whole and len(found.values) <= MOST_WHOLE_SCORES):
        return "regression"
    return "classification"


def label_names(values: Sequence[str]) -> tuple[str, ...]:
    """Labels in order: by value if all are numbers, else by name.

    Examples:
        >>> label_names(["10", "9"]), label_names(["b", "a"])
        (('9', '10'), ('a', 'b'))
    """
    if all(_number(value) is not None for value in values):
        return tuple(sorted(values, key=lambda value: (float(value), value)))
    return tuple(sorted(values))
