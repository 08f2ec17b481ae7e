"""Cache of the results of augmenters in an SQLite file, keyed by augmenter, text and copy."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from lmdistill.core.errors import RunError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.data.augment.protocol import Augmenter

_TABLE = """
CREATE TABLE IF NOT EXISTS results (
    augmenter TEXT, text TEXT, copy INTEGER, result TEXT, PRIMARY KEY (augmenter, text, copy)
) WITHOUT ROWID
"""


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
    Close it, or use it in a `with` block.

    Args:
        path: The file; it and its folder are created if missing.

    Raises:
        RunError: The file exists and is not such a cache, or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._database = sqlite3.connect(path, timeout=60)
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        try:
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            with self._database:
                self._database.execute(_TABLE)
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
        cached = self._read(augmenter, wanted)
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
        cached = {}
        query = "SELECT result FROM results WHERE augmenter = ? AND text = ? AND copy = ?"
        for text, copy in wanted:
            row = self._database.execute(query, (augmenter.identity, fingerprint(text), copy)).fetchone()
            if row is not None:
                cached[text, copy] = row[0]
        return cached

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
            with self._database:
                self._database.executemany("INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?)", rows)
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        return dict(zip(missing, new_texts, strict=True))

    def _unusable(self, error: sqlite3.Error) -> RunError:
        """The error for a file that SQLite cannot open or write."""
        return RunError(
            f"the cache {str(self.path)!r} cannot be used: {error}. Free some space, or choose another file."
        )
