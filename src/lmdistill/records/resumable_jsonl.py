"""JSON lines of an interrupted generation, to be continued."""

import json
from pathlib import Path
from typing import Any

from lmdistill.core.atomic_io import write_text
from lmdistill.records.jsonl import read_lines

CHUNK = 64
"""Completions between two writes, which a kill can lose."""


def encoded(line: dict[str, Any]) -> str:
    """A row as a line of JSON."""
    return json.dumps(line, ensure_ascii=False) + "\n"


def kept_lines(path: Path, total: int) -> list[dict[str, Any]]:
    """The complete chunks of rows in a file; anything after them is removed from the file.

    A call that continues from them writes the same chunks as one that was not interrupted.

    Args:
        path: JSON lines; may be missing.
        total: Number of rows of the finished file.
    """
    lines = read_lines(path) if path.exists() else []
    if len(lines) >= total:
        return lines[:total]
    whole = lines[: len(lines) // CHUNK * CHUNK]
    if path.exists():
        write_text(path, "".join(map(encoded, whole)))
    return whole
