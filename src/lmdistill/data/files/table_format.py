"""How a user's file is encoded and how its columns are separated, as far as that is not inferred."""

from dataclasses import dataclass

from lmdistill.core.errors import ConfigError

ENCODING_ADVICE = "or set data.encoding to its encoding, such as {guess}"
"""What a user can do about a file that is not UTF-8; `guess` is the name of an encoding."""

COLUMNS_ADVICE = (
    "If the columns are separated by another character than {delimiter!r}, set data.delimiter; if the first "
    "line is a row already, set data.header to false and name columns by number."
)
"""What a user can do about a table whose columns are not as expected."""


@dataclass(frozen=True, kw_only=True)
class TableFormat:
    """Encoding of a file, and delimiter, quotes and header of CSV and TSV files."""

    encoding: str | None = None
    """Name of an encoding that Python knows; None is UTF-8, with or without a byte order mark."""

    delimiter: str | None = None
    """The character between columns; None infers it."""

    quote: str | None = None
    """The character around texts; "" if quotes are part of the text; None infers it for TSV, else `"`."""

    header: bool = True
    """Whether the first line has the column names; otherwise columns are called 1, 2, 3 and so on."""

    def __post_init__(self) -> None:
        if self.encoding is not None:
            _require_encoding(self.encoding)
        _require_character("delimiter", self.delimiter)
        _require_character("quote", self.quote or None)
        quote = '"' if self.quote is None else self.quote
        if self.delimiter is not None and self.delimiter == quote:
            raise ConfigError(
                f"delimiter and quote are both {self.delimiter!r}. Set quote to another character."
            )

    @property
    def has_columns(self) -> bool:
        """Whether a setting applies to CSV and TSV files only."""
        return self.delimiter is not None or self.quote is not None or not self.header


def _require_encoding(name: str) -> None:
    """Refuse what is no encoding of texts."""
    try:
        "a".encode(name)
    except (LookupError, ValueError):
        raise ConfigError(
            f"encoding is {name!r}, which Python does not know. Use a name such as utf-8, latin-1, cp1252 "
            "or utf-16."
        ) from None


def _require_character(name: str, value: str | None) -> None:
    """Refuse what is not a single character within a line."""
    if value is not None and (len(value) != 1 or value in "\r\n\0"):
        raise ConfigError(f"{name} must be one character other than a line end, got {value!r}.")
