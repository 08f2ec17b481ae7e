"""Tables on disk beside tables made anew: the same numbers but for how a processor rounds."""

import csv
import math

RELATIVE, ABSOLUTE = 1e-9, 1e-12
"""Largest difference that counts as rounding. A double has 16 digits; sums and special functions keep 12."""


def same_table(one: str, other: str) -> bool:
    """Whether two CSV texts have the same cells, with numbers that are equal but for rounding."""
    first, second = (list(csv.reader(text.splitlines())) for text in (one, other))
    return [len(line) for line in first] == [len(line) for line in second] and all(
        _same_cell(left, right)
        for pair in zip(first, second, strict=True)
        for left, right in zip(*pair, strict=True)
    )


def _same_cell(left: str, right: str) -> bool:
    """Whether two cells have the same text, or numbers that are close."""
    if left == right:
        return True
    try:
        return math.isclose(float(left), float(right), rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    except ValueError:
        return False
