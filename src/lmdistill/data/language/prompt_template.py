"""Templates of prompts: text with {column} fields."""

import string
from collections.abc import Mapping, Sequence

from lmdistill.core.errors import ConfigError, UnknownNameError

Pieces = tuple[tuple[str, str], ...]
"""A parsed template: pairs of a text and the column that follows it ("" for none)."""


def parse_template(template: str, columns: Sequence[str]) -> Pieces:
    """Split a template into pairs of a text and the column that follows it.

    Args:
        template: Text with {column} fields; {{ and }} are literal braces.
        columns: Column names of the table.

    Raises:
        UnknownNameError: A field is not a column.
        ConfigError: A brace is unmatched, or a field has a format.

    Examples:
        >>> parse_template("Q: {question} A:", ["question", "answer"])
        (('Q: ', 'question'), (' A:', ''))
    """
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ConfigError(
            f"the template {template!r} cannot be read ({error}). Write {{column}} for a column, "
            "and {{{{ or }}}} for a brace."
        ) from error
    for _, name, format_spec, conversion in parts:
        if name is not None and name not in columns:
            raise UnknownNameError("column", name, columns)
        if format_spec or conversion:
            raise ConfigError(
                f"the template {template!r} has a format for {name!r}. Write {{{name}}} without it."
            )
    return tuple((text, name or "") for text, name, _, _ in parts)


def fill_template(pieces: Sequence[tuple[str, str]], fields: Mapping[str, str]) -> str:
    """The prompt of one row; missing columns count as empty."""
    return "".join(text + (fields.get(name, "") if name else "") for text, name in pieces)
