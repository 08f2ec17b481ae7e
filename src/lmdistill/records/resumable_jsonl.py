"""JSON lines of an interrupted generation, to be continued."""

import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from lmdistill.core.atomic_io import read_json, write_json
from lmdistill.core.errors import RunError
from lmdistill.records.jsonl import read_lines

CHUNK = 64
"""Completions between two writes, which a kill can lose."""

logger = logging.getLogger("lmdistill")


def encoded(line: dict[str, Any]) -> str:
    """A row as a line of JSON."""
    return json.dumps(line, ensure_ascii=False) + "\n"


class ResumableLines:
    """A file of JSON lines that grows by chunks, and a file beside it with the checksum of the chunks.

    A call that continues writes the same chunks as one that was not interrupted. A file whose chunks have
    changed since is begun again, which is logged. One without a checksum, of version 0.1, is continued
    without a check.

    Args:
        path: The file; its folder is made if missing.
        total: Number of rows of the finished file.

    Attributes:
        rows: What was written before.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "texts.jsonl"
        >>> with ResumableLines(path, 3) as file:
        ...     file.append([{"text": "a"}, {"text": "b"}])
        >>> with ResumableLines(path, 3) as file:
        ...     file.rows
        [{'text': 'a'}, {'text': 'b'}]
    """

    def __init__(self, path: Path, total: int) -> None:
        self.path, self.seal = path, path.with_name(f"{path.name}.sha256")
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = self._kept(total) if path.exists() else b""
        self.rows: list[dict[str, Any]] = [json.loads(line) for line in kept.splitlines()]
        self._digest, self._size = hashlib.sha256(kept), len(kept)
        self._file = path.open("r+b" if path.exists() else "w+b")
        self._file.truncate(self._size)
        self._file.seek(self._size)

    def _kept(self, total: int) -> bytes:
        """The bytes of the chunks that are as they were written."""
        if not self.seal.exists():
            return self._unsealed(total)
        content = self.path.read_bytes()
        try:
            seal = read_json(self.seal)
            size, digest = int(seal["bytes"]), str(seal["sha256"])
        except (ValueError, KeyError, TypeError, RecursionError):
            size, digest = 0, ""
        if 0 <= size <= len(content) and hashlib.sha256(content[:size]).hexdigest() == digest:
            return content[:size]
        logger.warning("%s has changed since it was written; it is begun again.", self.path)
        return b""

    def _unsealed(self, total: int) -> bytes:
        """The complete chunks of a file of version 0.1."""
        try:
            lines = read_lines(self.path)
        except RunError:
            logger.warning("%s is damaged; it is begun again.", self.path)
            return b""
        count = total if len(lines) >= total else len(lines) // CHUNK * CHUNK
        if lines:
            logger.info("%s has no checksum, as in version 0.1; it is used unchecked.", self.path)
        return "".join(map(encoded, lines[:count])).encode()

    def append(self, lines: Sequence[dict[str, Any]]) -> None:
        """Write a chunk, and the checksum of all chunks so far."""
        added = "".join(map(encoded, lines)).encode()
        self._file.write(added)
        self._file.flush()
        self._digest.update(added)
        self._size += len(added)
        write_json(self.seal, {"bytes": self._size, "sha256": self._digest.hexdigest()})

    def finish(self, path: Path) -> None:
        """Give the finished file its name, and remove the checksum."""
        self._file.close()
        self.path.rename(path)
        self.seal.unlink(missing_ok=True)

    def __enter__(self) -> "ResumableLines":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
