"""Records of finished runs that a test edits on purpose."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lmdistill.core.checksums import CHECKSUM
from lmdistill.records.record import RECORD


@contextmanager
def edited_record(folder: str | Path) -> Iterator[dict[str, Any]]:
    """The record of a run, which is written back without its checksum after the block."""
    path = Path(folder) / RECORD
    value = json.loads(path.read_text(encoding="utf-8"))
    yield value
    value.pop(CHECKSUM, None)
    path.write_text(json.dumps(value), encoding="utf-8")
