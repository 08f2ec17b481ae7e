"""Cache of the results of augmenters in an SQLite file, keyed by augmenter, text and copy."""

import contextlib
import logging
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from lmdistill.core.errors import RunError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.data.augment.protocol import Augmenter

log = logging.getLogger("lmdistill")

_TABLES = tuple(
    f"""
CREATE TABLE IF NOT EXISTS {name} (
    augmenter TEXT, text TEXT, copy INTEGER, {column} TEXT, PRIMARY KEY (augmenter, text, copy)
) WITHOUT ROWID
"""
    for name, column in (("results", "result"), ("checksums", "checksum"))
)
"""Results, and a fingerprint of each with its key; those of version 0.1 have none."""

_KEY = "augmenter = ? AND text = ? AND copy = ?"


@dataclass(frozen=True, kw_only=True)
class LookupResult:
    """Results from the cache or the augmenter."""

    texts: list[str]
    """One result for each requested text, in order."""

    from_store: int
    """Number of distinct results that were read from the cache."""

    computed: int
    """Number of distinct results that the augmenter computed."""


class AugmentationCache:
    """An SQLite file with all results that were computed, keyed by augmenter, text and copy.

    Each batch is committed before the next one starts, so a killed process loses at most the current batch.
    Damaged results are computed again, and a file that SQLite cannot read is set aside as `NAME.damaged`;
    both are logged. Close it, or use it in a `with` block.

    Args:
        path: The file; it and its folder are created if missing.

    Raises:
        RunError: The file exists and is not such a cache, or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._open()

    def _open(self) -> None:
        """Open the file; make it, if it is missing."""
        path = self.path
        try:
            self._database = sqlite3.connect(path, timeout=60)
            self._database.text_factory = _text
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        try:
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            with self._database:
                for table in _TABLES:
                    self._database.execute(table)
        except sqlite3.Error as error:
            self._database.close()
            raise self._unusable(error) from error

    def __enter__(self) -> "AugmentationCache":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __len__(self) -> int:
        return int(self._database.execute("SELECT COUNT(*) FROM results").fetchone()[0])

    def results(
        self, augmenter: Augmenter, texts: Sequence[str], copies: Sequence[int] | None = None
    ) -> LookupResult:
        """Results for `texts`; those that are not in the cache are computed in one call and stored.

        The result of a blank text is "", without a call of the augmenter.

        Args:
            augmenter: Makes the new texts.
            texts: Any strings; repeated ones are computed once.
            copies: Number of the variant of each text, >= 0; None is variant 0 of each.

        Raises:
            RunError: The augmenter returned more or fewer texts than it got, or the file cannot be written.
        """
        numbers = [0] * len(texts) if copies is None else copies
        wanted = list(dict.fromkeys((t, c) for t, c in zip(texts, numbers, strict=True) if t.strip()))
        try:
            cached = self._read(augmenter, wanted)
        except sqlite3.OperationalError as error:  # locked, or a disk that fails
            raise self._unusable(error) from error
        except sqlite3.DatabaseError as error:
            self._set_aside(error)
            cached = {}
        missing = [key for key in wanted if key not in cached]
        if missing:
            cached |= self._computed(augmenter, missing)
        return LookupResult(
            texts=[cached.get(key, "") for key in zip(texts, numbers, strict=True)],
            from_store=len(wanted) - len(missing),
            computed=len(missing),
        )

    def _read(self, augmenter: Augmenter, wanted: list[tuple[str, int]]) -> dict[tuple[str, int], str]:
        """The results for `wanted` that are in the file."""
        cached, damaged = {}, 0
        for text, copy in wanted:
            key = (augmenter.identity, fingerprint(text), copy)
            row, checksum = (
                self._database.execute(f"SELECT {column} FROM {table} WHERE {_KEY}", key).fetchone()
                for column, table in (("result", "results"), ("checksum", "checksums"))
            )
            if row is None:
                continue
            if not isinstance(row[0], str) or (checksum and checksum[0] != fingerprint(*key, row[0])):
                damaged += 1
            else:
                cached[text, copy] = row[0]
        if damaged:
            log.warning("%d results in %s are damaged; they are computed again.", damaged, self.path)
        return cached

    def _set_aside(self, error: Exception) -> None:
        """Rename a file that SQLite cannot read, and begin a new one."""
        log.warning(
            "%s is damaged (%s); it is made again, and kept as %s.damaged.", self.path, error, self.path
        )
        with contextlib.suppress(sqlite3.Error):
            self._database.close()
        os.replace(self.path, f"{self.path}.damaged")
        for ending in ("-wal", "-shm"):
            Path(f"{self.path}{ending}").unlink(missing_ok=True)
        self._open()

    def _computed(self, augmenter: Augmenter, missing: list[tuple[str, int]]) -> dict[tuple[str, int], str]:
        """Compute the results for `missing` and store them."""
        new_texts = augmenter([text for text, _ in missing], [copy for _, copy in missing])
        if len(new_texts) != len(missing):
            raise RunError(
                f"the augmenter {augmenter.name!r} returned {len(new_texts)} texts for {len(missing)}; "
                "it must return one for each, in the same order."
            )
        rows = [
            (augmenter.identity, fingerprint(text), copy, result)
            for (text, copy), result in zip(missing, new_texts, strict=True)
        ]
        try:
            self._store(rows)
        except sqlite3.OperationalError as error:
            raise self._unusable(error) from error
        except sqlite3.DatabaseError as error:
            self._set_aside(error)
            self._store(rows)
        return dict(zip(missing, new_texts, strict=True))

    def _store(self, rows: list[tuple[str, str, int, str]]) -> None:
        """Write results and their checksums."""
        checksums = [(*key, fingerprint(*key, result)) for *key, result in rows]
        with self._database:
            self._database.executemany("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?)", rows)
            self._database.executemany("INSERT OR REPLACE INTO checksums VALUES (?, ?, ?, ?)", checksums)

    def _unusable(self, error: sqlite3.Error) -> RunError:
        """The error for a file that SQLite cannot open or write."""
        return RunError(
            f"the cache {str(self.path)!r} cannot be used: {error}. Free some space, or choose another file."
        )


def _text(raw: bytes) -> str | bytes:
    """A text of the file; bytes, if it is damaged so that it is none."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw
