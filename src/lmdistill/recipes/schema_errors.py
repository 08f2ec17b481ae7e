"""Pydantic's validation errors as the errors of this package: one line with path, value and remedy."""

import re
from collections.abc import Callable

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lmdistill.core.errors import ConfigError, LmdistillError

TAG = "name="
"""Prefix of the tags of discriminated unions, which pydantic adds to the path of an error."""

KEY = "[key]"
"""What pydantic adds to the path of an error in a key instead of its value."""


class Refusal(ValueError):
    """An error raised by a validator, whose message needs the path of the field."""

    def __init__(self, error_at: Callable[[str], LmdistillError]) -> None:
        super().__init__()
        self.error_at = error_at


def readable(error: ValidationError, where: str = "") -> LmdistillError:
    """The first error, in one line; fields that are missing come last.

    Args:
        error: What pydantic raised.
        where: Path of the validated value in the recipe.
    """
    errors = error.errors(include_url=False)
    return _readable(min(errors, key=lambda one: one["type"] == "missing"), where)  # wrong before missing


def joined(where: str, *parts: str | int) -> str:
    """A path with more steps; positions in lists stand in brackets.

    Examples:
        >>> joined("teacher", "training", "epochs"), joined("", "seeds", 1)
        ('teacher.training.epochs', 'seeds[1]')
    """
    for part in parts:
        step = f"[{part}]" if isinstance(part, int) else f".{part}"
        where = f"{where}{step}" if where else str(part)
    return where


def requirement(error: ErrorDetails) -> str:
    """What stands after "must" in a message.

    Examples:
        >>> message = "Input should be a valid integer, unable to parse string as an integer"
        >>> requirement({"type": "int_parsing", "msg": message, "loc": ("seeds", 1), "input": "x"})
        'be a valid integer'
    """
    if error["type"] == "dict_type":
        return "be a table of keys and values"
    text = error["msg"].partition(" should ")[2].replace("tuple", "list")
    for addition in (", unable to ", ", got ", " after validation"):
        text = text.partition(addition)[0]
    return text or f"be valid ({error['msg']})"


def union_refusal(error: ValidationError, value: object) -> Refusal:
    """One error for a value that fits no option of a union.

    It is the error inside the option whose outer form fits, as a list with a wrong item does. If there is no
    such option, the message lists them all.
    """
    errors = error.errors(include_url=False)
    if nearest := max(filter(_is_inside, errors), key=lambda one: len(one["loc"]), default=None):
        inner: ErrorDetails = {**nearest, "loc": nearest["loc"][1:]}  # without the option
        return Refusal(lambda where: _readable(inner, where))
    each = [re.split(", | or ", requirement(one).removeprefix("be ")) for one in errors]
    *others, last = dict.fromkeys(option for options in each for option in options)
    return Refusal(
        lambda where: ConfigError(f"{where} must be {', '.join(others)} or {last}, got {value!r}.")
    )


def _is_inside(error: ErrorDetails) -> bool:
    """Whether an error of a union's option is about a part of the value; its path begins with the option."""
    return len(error["loc"]) > 1 or _cause(error) is not None or error["type"] == "too_long"


def _cause(error: ErrorDetails) -> Exception | None:
    """What a validator or a class raised; None for an error of pydantic's own."""
    cause = error.get("ctx", {}).get("error")
    return cause if isinstance(cause, Exception) else None


def _readable(error: ErrorDetails, where: str) -> LmdistillError:
    """One error of pydantic's."""
    steps = [part for part in error["loc"] if not str(part).startswith(TAG)]
    if steps[-1:] == [KEY]:
        table, key = joined(where, *steps[:-2]) or "a recipe", error["input"]
        return ConfigError(f"{table} has the key {key!r}, which must {requirement(error)}. Put it in quotes.")
    path, cause = joined(where, *steps), _cause(error)
    if isinstance(cause, Refusal):
        return cause.error_at(path)
    if cause is not None:  # a check of the class itself, whose message begins with the field
        return ConfigError(joined(path, str(cause)))
    if error["type"] == "missing":
        return ConfigError(f"{path} is missing; it has no default.")
    advice = " Write a list in brackets, as in [1, 2]." if error["type"] == "tuple_type" else ""
    return ConfigError(f"{path or 'a recipe'} must {requirement(error)}, got {error['input']!r}.{advice}")
