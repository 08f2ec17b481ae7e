"""How large the values of a chat template may become."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from lmdistill.core.errors import DataError

MAX_CHARACTERS = 20_000_000
"""Longest text that a template makes; a value with all that is inside it counts like its text."""

MAX_WIDTH = 100_000
"""Largest number that a template may give to a method of a text or to a filter, such as a width."""

MAX_POWER = 64
"""Largest exponent of `**` in a template; powers beyond it make numbers of endless length."""

WIDE = re.compile(r"\d{6}|\*")
"""A very large width, or one that is an argument, in a text that is a format."""


class TemplateLimitError(DataError):
    """A chat template takes too many steps, too much time, or makes too large a value."""

    def __init__(self, what: str, location: str = "") -> None:
        prefix = f"{location}: " if location else ""
        super().__init__(
            f"{prefix}the chat template {what}, so it was cut off. Use the tokenizer of another model."
        )
        self.what = what


def joined(parts: Iterable[str]) -> str:
    """The parts, joined while they fit.

    Raises:
        TemplateLimitError: If they have more than `MAX_CHARACTERS`.
    """
    total, kept = 0, []
    for part in parts:
        total += len(part)
        if total > MAX_CHARACTERS:
            raise TemplateLimitError(f"writes more than {MAX_CHARACTERS:,} characters")
        kept.append(part)
    return "".join(kept)


def small(value: Any) -> Any:
    """`value` itself, if it is not too large with all that is inside it.

    A list that holds a list twice, which holds a list twice, is short and stands for an endless text.

    Raises:
        TemplateLimitError: If it stands for more than `MAX_CHARACTERS`.
    """
    size, left = 0, [value]
    while left:
        one = left.pop()
        size += len(one) if isinstance(one, str) else 1
        if size > MAX_CHARACTERS:
            raise TemplateLimitError(f"makes a value of more than {MAX_CHARACTERS:,} characters")
        if isinstance(one, Mapping):
            left += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple | set | frozenset):
            left += one
    return value


def require_growth(name: str, value: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Refuse a filter, an operator or a method of a text before it makes too large a value.

    Args:
        name: Its name, such as `replace` or `*`.
        value: What it is applied to.
        args: Its arguments.
        kwargs: Its arguments by name.

    Raises:
        TemplateLimitError: If the result would exceed a limit.
    """
    given = small([*args, *kwargs.values()])
    numbers = [abs(one) for one in given if isinstance(one, int)]
    if name not in ("+", "*", "**", "%") and max(numbers, default=0) > MAX_WIDTH:
        raise TemplateLimitError(f"gives {max(numbers)} to {name}")
    if name in ("format", "format_map", "%") and isinstance(value, str) and WIDE.search(value):
        raise TemplateLimitError("asks for a very wide text")
    if name == "**" and not (_size(value) <= MAX_WIDTH and max(numbers, default=0) <= MAX_POWER):
        raise TemplateLimitError(f"raises to a power above {MAX_POWER}")
    if _result(name, value, given) > MAX_CHARACTERS:
        raise TemplateLimitError(f"makes a value of more than {MAX_CHARACTERS:,} characters")


def _result(name: str, value: Any, given: list[Any]) -> int:
    """Size of what is added to a value; 0 for what adds little."""
    if name == "*" and given:
        both_numbers = isinstance(value, int | float) and isinstance(given[0], int | float)
        return 0 if both_numbers else _size(value) * _size(given[0])
    if name == "replace" and len(given) > 1 and all(isinstance(one, str) for one in (value, *given[:2])):
        return int(value.count(given[0]) * len(given[1]))
    if name == "join" and given:
        return _size(value) * _size(given[0])
    if name == "translate" and given and isinstance(given[0], Mapping):
        return _size(value) * max((len(str(one)) for one in given[0].values()), default=0)
    if name in ("expandtabs", "indent") and isinstance(value, str):
        width = max((_size(one) for one in given), default=8)
        return int((value.count("\t") + value.count("\n") + 1) * width)
    return 0


def _size(value: Any) -> int:
    """Length of a text or a sequence, absolute value of a number; a stream may be long."""
    if isinstance(value, bool) or value is None:
        return 1
    if isinstance(value, int | float):
        return int(min(abs(value), MAX_CHARACTERS + 1))
    return len(value) if hasattr(value, "__len__") else MAX_WIDTH
