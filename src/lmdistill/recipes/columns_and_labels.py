"""Checks of the columns and labels that a recipe names, which YAML writes as texts or as numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from lmdistill.core.errors import ConfigError
from lmdistill.recipes.schema_errors import Refusal, joined


def column_list(value: Any) -> Any:
    """Names or numbers of columns; a single one is a list of one."""
    columns = (value,) if isinstance(value, str | int) and not isinstance(value, bool) else value
    if not isinstance(columns, list | tuple):
        raise Refusal(
            lambda where: ConfigError(
                f"{where} must be a valid list of columns, got {value!r}. Write a list in brackets, as in "
                "[a, b]."
            )
        )
    _require_quotes(columns)
    for position, column in enumerate(columns):
        if not isinstance(column, str | int):
            raise _no_column(position, column)
    return tuple(columns)


def column_or_list(value: Any) -> Any:
    """Name or number of a column, a list of them, or None."""
    if value is None or (isinstance(value, str | int) and not isinstance(value, bool)):
        return value
    if isinstance(value, list | tuple):
        return column_list(value)
    raise Refusal(
        lambda where: ConfigError(
            f"{where} must be a valid string, a valid integer or a valid list of columns, got {value!r}. "
            "Write a list in brackets, as in [a, b]."
        )
    )


def _no_column(position: int, value: Any) -> Refusal:
    """The error for what is neither the name nor the number of a column."""
    return Refusal(
        lambda where: ConfigError(
            f"{joined(where, position)} must be a valid string or a whole number, got {value!r}."
        )
    )


def label_names(value: Any) -> Any:
    """Names of labels in order, or a table from labels in the file to names."""
    if isinstance(value, Mapping):
        _require_quotes([*value, *value.values()])
        if all(isinstance(text, str | int | float) and isinstance(name, str) for text, name in value.items()):
            return {text if isinstance(text, int) else str(text): name for text, name in value.items()}
    elif isinstance(value, list | tuple):
        _require_quotes(value)
        if all(isinstance(name, str | int) for name in value):
            return tuple(value) or None
    elif value is None:
        return None
    raise Refusal(
        lambda where: ConfigError(
            f"{where} must be a valid list of names or a table of keys and values, got {value!r}. Write "
            "[bad, good], or {0: bad, 1: good} from the labels in the file to names."
        )
    )


def _require_quotes(values: Sequence[Any]) -> None:
    """Refuse truth values, which YAML makes of the words yes, no, on and off."""
    truth = next((value for value in values if isinstance(value, bool)), None)
    if truth is not None:
        word = "yes" if truth else "no"
        raise Refusal(
            lambda where: ConfigError(
                f"{where} has {truth}, which YAML reads for words such as {word}. Put it in quotes."
            )
        )
