"""Cells of CSV files that a spreadsheet would run as a formula."""

import re

FORMULA = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""How a text begins that a spreadsheet takes for a formula; the last four are signs in full width."""

NUMBER = re.compile(r"[-+]?(\d[\d.,]*|\.\d+)(e[-+]?\d+)?[\s\d.,%\xb1\u2013\u2021()\[\]-]*", re.IGNORECASE)
"""A number, also with its deviation or interval, as in `-1.20 ± 0.31`."""


def escaped(text: str) -> str:
    """`text` as a cell that no spreadsheet runs: a formula begins with an apostrophe, and a number stays.

    Examples:
        >>> escaped("=1+1"), escaped("-1.5e-3"), escaped("- a list"), escaped("plain")
        ("'=1+1", '-1.5e-3', "'- a list", 'plain')
    """
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text
