"""Types of recipes that pydantic alone would validate too loosely or too strictly."""

import types
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BeforeValidator, PlainValidator
from pydantic_core import PydanticKnownError

from lmdistill.core.errors import ConfigError
from lmdistill.recipes.schema_errors import Refusal, joined

LARGEST = 2**63
"""Whole numbers at or above it are refused; arrays and files do not hold them."""


def _integer(value: Any) -> Any:
    """Refuse a truth value and a text, which pydantic would convert, and numbers that no array holds."""
    if isinstance(value, bool | str):
        raise PydanticKnownError("int_type")
    if isinstance(value, int | float) and abs(value) >= LARGEST:
        digits = str(value)
        text = digits if len(digits) < 40 else f"{digits[:20]}..."
        raise Refusal(lambda where: ConfigError(f"{where} must be below 2^63, got {text}."))
    return value


def _number(value: Any) -> Any:
    """Refuse a truth value, which pydantic would convert; a text may be a number, as `1e-5` is in YAML."""
    if isinstance(value, bool):
        raise PydanticKnownError("float_type")
    return value


def _texts(value: Any) -> Any:
    """A single text is a list of one."""
    return (value,) if isinstance(value, str) else value


def _columns(value: Any) -> Any:
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


def _no_column(position: int, value: Any) -> Refusal:
    """The error for what is neither the name nor the number of a column."""
    return Refusal(
        lambda where: ConfigError(
            f"{joined(where, position)} must be a valid string or a whole number, got {value!r}."
        )
    )


def _labels(value: Any) -> Any:
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


STRICT: Mapping[Any, BeforeValidator | PlainValidator] = types.MappingProxyType(
    {
        int: BeforeValidator(_integer),
        float: BeforeValidator(_number),
        tuple[str, ...]: BeforeValidator(_texts),
        tuple[str | int, ...]: PlainValidator(_columns),
        tuple[str | int, ...] | Mapping[str | int, str] | None: PlainValidator(_labels),
    }
)
"""Type of a field -> its validator."""
