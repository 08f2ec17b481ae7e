"""Inference of the text and label columns of a user's table."""

import difflib
from collections.abc import Sequence

from lmdistill.core.errors import DataError
from lmdistill.data.files.csv_tsv import NAMELESS

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


def _unnamed(columns: Sequence[str], *, apart: Sequence[str]) -> list[str]:
    """The columns whose names do not say what they hold, without row numbers and those in `apart`."""
    return [
        column
        for column in columns
        if column not in apart and column.lower() not in ROW_NUMBERS and not column.startswith(NAMELESS)
    ]


def text_columns(
    columns: Sequence[str],
    text: str | Sequence[str] | None = None,
    label: str | None = None,
    *,
    joined: bool = False,
) -> tuple[str, ...]:
    """The one or two text columns of a table, or several that are joined to one text.

    Args:
        columns: All columns, in order.
        text: Some of them if the user named them; None uses the first pair of `PAIRS` that occurs, else the
            first of `TEXTS`, else the only column that is neither the label nor a row number.
        label: The label column, if known.
        joined: Whether the named columns are joined, so that there may be more than two.

    Raises:
        DataError: A named column does not exist, or the text column cannot be inferred.

    Examples:
        >>> text_columns(["id", "Premise", "Hypothesis", "label"])
        ('Premise', 'Hypothesis')
        >>> text_columns(["note", "topic"], label="topic")
        ('note',)
    """
    if text is not None:
        return _named_texts(columns, (text,) if isinstance(text, str) else tuple(text), joined)
    rest = [column for column in columns if column != label]
    for pair in PAIRS:
        first, second = (_first(rest, [name]) for name in pair)
        if first is not None and second is not None:
            return (first, second)
    single = _first(rest, TEXTS)
    if single is not None:
        return (single,)
    rest = [column for column in _unnamed(rest, apart=()) if column.lower() not in LABELS]
    if len(rest) != 1:
        several = ", ".join(rest[:2]) if len(rest) > 1 else "title, description"
        raise DataError(
            f"it is not clear which column holds the text; the columns are: {', '.join(columns)}. Set "
            f"data.text to one of them, or to several as in data.text: [{several}], which is a pair, or one "
            'text with data.join: " ".'
        )
    return (rest[0],)


def _named_texts(columns: Sequence[str], names: tuple[str, ...], joined: bool) -> tuple[str, ...]:
    """The text columns that the user named."""
    if len(set(names)) != len(names) or not names:
        raise DataError(f"data.text names {', '.join(names) or 'no column'}; name different columns.")
    if len(names) > 2 and not joined:
        raise DataError(
            f"data.text names {len(names)} columns ({', '.join(names)}), and an example has one or two "
            'texts. Name two for a pair, or set data.join to join them into one text, as in data.join: " ".'
        )
    return tuple(_require_column(columns, name) for name in names)


def label_column(
    columns: Sequence[str],
    label: str | None = None,
    text: str | Sequence[str] | None = None,
    *,
    joined: bool = False,
) -> str:
    """The label column of a table.

    Args:
        columns: All columns, in order.
        label: One of them if the user named it; None uses the first of `LABELS` that occurs, else the only
            column that is neither a text nor a row number.
        text: The text columns if the user named them.
        joined: Whether these are joined, so that there may be more than two.

    Raises:
        DataError: The named column does not exist, or the label column cannot be inferred.

    Examples:
        >>> label_column(["text", "Category"]), label_column(["text", "species"])
        ('Category', 'species')
    """
    if label is not None:
        return _require_column(columns, label)
    named = () if text is None else text_columns(columns, text, joined=joined)
    by_name = _first([column for column in columns if column not in named], LABELS)
    if by_name is not None:
        return by_name
    texts = named or text_columns(columns) if _obvious(columns) or named else ()
    rest = _unnamed(columns, apart=texts)
    if not texts or len(rest) != 1:
        raise DataError(
            f"it is not clear which column holds the label; the columns are: {', '.join(columns)}. "
            "Set data.label to one of them."
        )
    return rest[0]


def _obvious(columns: Sequence[str]) -> bool:
    """Whether a text column can be identified by its name alone."""
    return _first(columns, TEXTS) is not None or any(
        all(_first(columns, [name]) is not None for name in pair) for pair in PAIRS
    )


def label_columns(
    columns: Sequence[str],
    labels: str | Sequence[str] | None = None,
    text: str | Sequence[str] | None = None,
    *,
    joined: bool = False,
) -> tuple[str, ...]:
    """The label column of a table, or the columns of 0 and 1 that the user named.

    Args:
        columns: All columns, in order.
        labels: One or several of them if the user named them; see `label_column`.
        text: The text columns if the user named them.
        joined: Whether these are joined, so that there may be more than two.

    Raises:
        DataError: A named column does not exist or is named twice, or the label column cannot be inferred.
    """
    if labels is None or isinstance(labels, str):
        return (label_column(columns, labels, text, joined=joined),)
    if len(set(labels)) != len(labels) or not labels:
        raise DataError(f"data.label names {', '.join(labels) or 'no column'}; name different columns.")
    return tuple(_require_column(columns, name) for name in labels)
