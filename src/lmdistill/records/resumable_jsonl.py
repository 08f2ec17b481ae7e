"""What an interrupted call of a writer left behind, to go on from."""

import json
from pathlib import Path
from typing import Any

from lmdistill.core.atomic_io import write_text
from lmdistill.records.jsonl import read_lines

CHUNK = 64
"""Completions between two writes: what a kill can cost."""


def encoded(line: dict[str, Any]) -> str:
    """A row as a line of JSON."""
    return json.dumps(line, ensure_ascii=False) + "\n"


def kept_lines(path: Path, total: int) -> list[dict[str, Any]]:
    """The rows of a file that are whole, a chunk at a time; what stands behind them is removed from it.

    Whoever goes on from them then writes the same chunks as a call that was not interrupted.

    Args:
        path: JSON lines; may be missing.
        total: Rows of the finished file.
    """
    lines = read_lines(path) if path.exists() else []
    if len(lines) >= total:
        return lines[:total]
    whole = lines[: len(lines) // CHUNK * CHUNK]
    if path.exists():
        write_text(path, "".join(map(encoded, whole)))
    return whole
