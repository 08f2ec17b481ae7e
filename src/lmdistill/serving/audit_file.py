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

from lmdistill.core.atomic_io import require_place
from lmdistill.core.errors import DataError, RunError
from lmdistill.core.file_lock import hold
from lmdistill.records.jsonl import encode_line

OWNER_ONLY = 0o600
"""Permissions of a new file."""

FIELDS = ("time", "predicted", "confidence", "defer", "teacher", "graph")
"""Keys of every line, beside those of the text; the first one stands first."""

BEGIN = b'{"time": '
"""How every line begins."""


class AuditFile:
    """A file of JSON lines that grows; one process writes it at a time.

    Args:
        path: The file; it is made, with its folder, if missing, and readable by its owner alone.

    Raises:
        RunError: If another process writes it, or no file can be written there.
        DataError: If it holds other lines than those of an audit.
    """

    def __init__(self, path: Path) -> None:
        require_place(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, OWNER_ONLY))
        file = hold(path, wait=False)
        if file is None:
            raise RunError(f"{path} is being written by another server. Stop it, or choose another --audit.")
        self.path, self.rows, self._file = path, 0, file
        try:
            file.truncate(complete_bytes(path))
        except BaseException:
            file.close()
            raise

    def write(self, row: Mapping[str, Any]) -> None:
        """Add a row, with one write.

        Raises:
            OSError: If it cannot be written; then nothing of it is in the file.
        """
        line = encode_line(row).encode()
        before = os.fstat(self._file.fileno()).st_size
        try:
            written = os.write(self._file.fileno(), line)  # the file is open for appending
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
