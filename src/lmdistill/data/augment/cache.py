"""Results of augmenters on disk: written as they come, found again by content, whole after a kill."""

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
    """What a store gave back."""

    texts: list[str]
    """One result for each text asked for, in their order."""

    from_store: int
    """Distinct results that were there already."""

    computed: int
    """Distinct results that the augmenter made now."""


class AugmentationCache:
    """One SQLite file with every result ever computed, keyed by augmenter, text and copy.

    A batch is committed as a whole before the next one starts: whoever kills the process loses at most the
    batch at work. Close it, or use it in a `with` block.

    Args:
        path: The file; it and its folder are made if missing.

    Raises:
        RunError: The file exists and is no such store, or cannot be written.
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
        """Let go of the file."""
        self._database.close()

    def __len__(self) -> int:
        return int(self._database.execute("SELECT COUNT(*) FROM results").fetchone()[0])

    def results(
        self, augmenter: Augmenter, texts: Sequence[str], copies: Sequence[int] | None = None
    ) -> LookupResult:
        """Results for `texts`: those on file, and the missing ones computed in one call and filed at once.

        Blank texts are blank results and never reach the augmenter.

        Args:
            augmenter: What makes new texts.
            texts: Any strings, repeats included.
            copies: Which variant of each text, >= 0; None is variant 0 of each.

        Raises:
            RunError: The augmenter gave back more or fewer texts than it got, or the file cannot be written.
        """
        numbers = [0] * len(texts) if copies is None else copies
        wanted = list(dict.fromkeys((t, c) for t, c in zip(texts, numbers, strict=True) if t.strip()))
        found = self._found(augmenter, wanted)
        missing = [key for key in wanted if key not in found]
        if missing:
            found |= self._filed(augmenter, missing)
        return LookupResult(
            texts=[found.get(key, "") for key in zip(texts, numbers, strict=True)],
            from_store=len(wanted) - len(missing),
            computed=len(missing),
        )

    def _found(self, augmenter: Augmenter, wanted: list[tuple[str, int]]) -> dict[tuple[str, int], str]:
        """What is on file of `wanted`."""
        found = {}
        question = "SELECT result FROM results WHERE augmenter = ? AND text = ? AND copy = ?"
        for text, copy in wanted:
            row = self._database.execute(question, (augmenter.identity, fingerprint(text), copy)).fetchone()
            if row is not None:
                found[text, copy] = row[0]
        return found

    def _filed(self, augmenter: Augmenter, missing: list[tuple[str, int]]) -> dict[tuple[str, int], str]:
        """New results for `missing`, committed."""
        made = augmenter([text for text, _ in missing], [copy for _, copy in missing])
        if len(made) != len(missing):
            raise RunError(
                f"the augmenter {augmenter.name!r} gave {len(made)} texts for {len(missing)}; "
                "it must give one each, in the same order."
            )
        rows = [
            (augmenter.identity, fingerprint(text), copy, result)
            for (text, copy), result in zip(missing, made, strict=True)
        ]
        try:
            with self._database:
                self._database.executemany("INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?)", rows)
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        return dict(zip(missing, made, strict=True))

    def _unusable(self, error: sqlite3.Error) -> RunError:
        """One line for a file that SQLite refuses."""
        return RunError(
            f"the store {str(self.path)!r} cannot be used: {error}; free space, or name another file."
        )
