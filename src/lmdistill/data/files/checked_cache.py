"""Files in the cache of `datasets`, each with its checksum beside it, so that a damaged one is made again."""

import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from datasets import Dataset

from lmdistill.core.atomic_io import write_text
from lmdistill.core.checksums import file_checksum

log = logging.getLogger("lmdistill")

ENDING = ".sha256"
"""Of the file with a checksum, after the whole name of the other."""


def checked(make: Callable[[], Dataset]) -> Dataset:
    """What `make` gives, made again where a file of the cache is not as it was when it was first used.

    Files that an older version has made are taken as they are, and have a checksum from then on.

    Args:
        make: Gives rows from the cache of `datasets`, or makes them and leaves them there.
    """
    rows = make()
    changed = [path for path in _files(rows) if not _is_unchanged(path)]
    if changed:
        log.warning("%s in the cache of datasets has changed; it is made again.", changed[0])
        for path in _files(rows):
            _remove(path)
        rows = make()
    for path in _files(rows):
        if not _checksum_of(path).exists():
            _write_checksum(path)
    return rows


def cached_rows(
    rows: Callable[[], Iterator[dict[str, Any]]], features: Any, key: str, *, folder: Path | None = None
) -> Dataset:
    """Write generated rows to the cache of `datasets`, once, and memory-map them.

    Args:
        rows: Makes the rows.
        features: Types of the columns.
        key: Fingerprint of the rows.
        folder: The cache; by default that of `datasets`.

    Raises:
        DatasetGenerationError: If `rows` raises.
    """
    place = None if folder is None else str(folder)
    return checked(lambda: Dataset.from_generator(rows, features=features, cache_dir=place, fingerprint=key))


def _files(rows: Dataset) -> list[Path]:
    """The files that rows are memory-mapped from."""
    return [Path(one["filename"]) for one in rows.cache_files]


def _checksum_of(path: Path) -> Path:
    """The file with the checksum of another one."""
    return path.with_name(path.name + ENDING)


def _is_unchanged(path: Path) -> bool:
    """Whether a file has the checksum that was written for it, if one was."""
    try:
        return _checksum_of(path).read_text(encoding="utf-8") == file_checksum(path)
    except FileNotFoundError:
        return True
    except UnicodeDecodeError:
        return False


def _write_checksum(path: Path) -> None:
    """Write the checksum of a file beside it; a cache that cannot be written goes without."""
    try:
        write_text(_checksum_of(path), file_checksum(path))
    except OSError:
        log.debug("no checksum of %s can be written", path)


def _remove(path: Path) -> None:
    """Remove a file of the cache, with the folder of the data set if it has one of its own."""
    if (path.parent / "dataset_info.json").exists():
        shutil.rmtree(path.parent, ignore_errors=True)
    path.unlink(missing_ok=True)
    _checksum_of(path).unlink(missing_ok=True)
