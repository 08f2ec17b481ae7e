"""Templates of prompts with {column} fields, and how they are told from chat templates in Jinja."""

import string
from collections.abc import Mapping, Sequence
from pathlib import Path

from lmdistill.core.errors import ConfigError, UnknownNameError

SUFFIXES = (".jinja", ".jinja2", ".j2")
"""Suffixes of files that hold a chat template."""

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


def is_chat_template(template: str) -> bool:
    """Whether a template is one of chats, in Jinja, and not one of prompts with {column} fields.

    Examples:
        >>> is_chat_template("{% for m in messages %}{{ m.content }}{% endfor %}")
        True
        >>> is_chat_template("{{question}}: {question}")
        False
    """
    return "{%" in template or ("{{" in template and "messages" in template)


def read_template(template: str) -> str:
    """The text of a template: that of a file, if it names one, else the text itself.

    Raises:
        ConfigError: It names a Jinja file that does not exist, or a file that is not UTF-8.
    """
    path = Path(template)
    if "\n" in template or "{" in template or not (path.suffix in SUFFIXES or path.is_file()):
        return template
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"texts.template names the file {template}, which cannot be read ({error}). Name a file with a "
            "chat template, or write the template itself."
        ) from None
