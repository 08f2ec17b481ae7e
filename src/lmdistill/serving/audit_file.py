"""A uniform sample of the texts that a server answers, one line of JSON each, for `lmdistill monitor`.

A line is written at once and in full, so that a killed process leaves at most a part of the last one behind.
The next server of the same file removes that part. The file holds what users have sent, so that only its
owner may read it.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lmdistill.core.errors import DataError
from lmdistill.records.jsonl import encode_line

OWNER_ONLY = 0o600
"""Permissions of a new file."""

FIELDS = ("time", "predicted", "confidence", "defer", "teacher", "graph")
"""Keys of every line, beside those of the text; the first one stands first."""

BEGIN = b'{"time": '
"""How every line begins."""


class AuditFile:
    """A file of JSON lines that grows, in the block of a `sole_writer`.

    Args:
        path: The file; it is made, with its folder, if missing, and readable by its owner alone.

    Attributes:
        path: The file.
        rows: Number of rows that were added.

    Raises:
        DataError: If it holds other lines than those of an audit.
        OSError: If no file can be written there.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.rows = path, 0
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, OWNER_ONLY), "ab")
        try:
            self._file.truncate(complete_bytes(path))
        except BaseException:
            self._file.close()
            raise

    def write(self, row: Mapping[str, Any]) -> None:
        """Add a row, with one write.

        Raises:
            OSError: If it cannot be written; then nothing of it is in the file.
        """
        line = encode_line(row).encode()
        before = os.fstat(self._file.fileno()).st_size
        try:
            written = os.write(self._file.fileno(), line)  # at the end, as it is open for appending
        except OSError:
            self._file.truncate(before)
            raise
        if written < len(line):
            self._file.truncate(before)
            raise OSError(f"only {written} of {len(line)} bytes could be written")
        self.rows += 1

    def close(self) -> None:
        """Close the file, so that another process may write it."""
        self._file.close()


def complete_bytes(path: Path) -> int:
    """Bytes of the complete lines of an audit file.

    Raises:
        DataError: If its first line is none of an audit.
    """
    with path.open("rb") as file:
        if not _begins_an_audit(file.readline()):
            raise DataError(f"{path} holds other lines than those of an audit. Choose another --audit.")
        end = file.seek(0, os.SEEK_END)
        while end:
            begin = max(0, end - 65_536)
            file.seek(begin)
            stop = file.read(end - begin).rfind(b"\n")
            if stop >= 0:
                return begin + stop + 1
            end = begin
    return 0


def _begins_an_audit(line: bytes) -> bool:
    """Whether the first line of a file is one of an audit, or a part of one."""
    if not line.endswith(b"\n"):
        return line.startswith(BEGIN) or BEGIN.startswith(line)
    try:
        found = json.loads(line)
    except ValueError:
        return False
    return isinstance(found, dict) and set(FIELDS) <= set(found)
