"""Types of recipes that pydantic alone would validate too loosely or too strictly."""

import types
from collections.abc import Mapping
from typing import Any

from pydantic import BeforeValidator, PlainValidator
from pydantic_core import PydanticKnownError

from lmdistill.core.errors import ConfigError
from lmdistill.recipes.columns_and_labels import column_list, column_or_list, label_names
from lmdistill.recipes.schema_errors import Refusal

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


STRICT: Mapping[Any, BeforeValidator | PlainValidator] = types.MappingProxyType(
    {
        int: BeforeValidator(_integer),
        float: BeforeValidator(_number),
        tuple[str, ...]: BeforeValidator(_texts),
        tuple[str | int, ...]: PlainValidator(column_list),
        str | int | tuple[str | int, ...] | None: PlainValidator(column_or_list),
        tuple[str | int, ...] | Mapping[str | int, str] | None: PlainValidator(label_names),
    }
)
"""Type of a field -> its validator."""
