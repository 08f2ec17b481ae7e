"""Texts from files, as people may see them: the one place where they are made harmless for a terminal.

A label, a name or an error message can hold anything. An escape sequence sets the title of a terminal, moves
the cursor or writes into the clipboard; an override of the writing direction shows a line in another order.
"""

import re

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but for tab and newline, separators of lines, overrides and isolates of the writing
direction, and halves of characters, which cannot be written at all."""


def printable(text: str) -> str:
    r"""`text` with each control character written as its number; tabs and newlines stay.

    Examples:
        >>> print(printable("\x1b]0;title\x07 caf\u00e9"))
        \u001b]0;title\u0007 café
    """
    return CONTROL.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def one_line(text: str) -> str:
    r"""`text` on one line, with single spaces, and printable.

    Examples:
        >>> print(one_line("a\n  b\x9b"))
        a b\u009b
    """
    return printable(" ".join(text.split()))
