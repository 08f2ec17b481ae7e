"""Times with a unit, as options take them."""

import re

import typer

UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0}
"""Unit, and how many seconds it has."""


def seconds(text: str) -> float:
    """The seconds of a time with its unit.

    Raises:
        typer.BadParameter: If it has no number, or no unit that is known.

    Examples:
        >>> seconds("2ms"), seconds("0.5 s")
        (0.002, 0.5)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([a-z]+)", text.strip())
    if found is None or found[2] not in UNITS:
        raise typer.BadParameter(f"{text!r} is no time with a unit, such as 2ms, 5s or 1min.")
    return float(found[1]) * UNITS[found[2]]


def a_time(text: str) -> str:
    """`text`, if it is a time with its unit; a callback of options."""
    seconds(text)
    return text


def as_text(value: float) -> str:
    """A time as the option takes it.

    Examples:
        >>> as_text(0.002), as_text(5.0)
        ('2ms', '5s')
    """
    return f"{value:g}s" if value >= 1 or value == 0 else f"{value * 1e3:g}ms"
