"""Append augmented rows to the training rows."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from datasets import Dataset, Features, concatenate_datasets
from datasets.exceptions import DatasetGenerationError

from lmdistill.core.errors import ConfigError, DataError, RunError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.data.augment.cache import AugmentationCache
from lmdistill.data.augment.protocol import Augmenter
from lmdistill.data.augment.word_splitting import collapse_whitespace
from lmdistill.data.files.checked_cache import cached_rows

COLUMNS = ("sentence1", "sentence2", "label", "index")
TEXTS_A_BATCH = 1024
"""Maximum number of texts that are augmented at once."""

Progress = Callable[[int, int], None]
"""Called with (done, total) after each batch; both count rows times copies."""

_log = logging.getLogger("lmdistill")


@dataclass(frozen=True, kw_only=True)
class AugmentationCounts:
    """Numbers of new rows that were added or dropped; they sum to originals * copies."""

    originals: int
    """Number of original rows."""

    added: int
    """New rows that were appended."""

    dropped_empty: int
    """New rows that were dropped because a text is empty that is not empty in the original."""

    dropped_unchanged: int
    """New rows that were dropped because they equal their original (pairs: both texts), white space aside."""

    dropped_repeated: int
    """New rows that were dropped because they equal an earlier copy of the original, white space aside."""

    from_store: int
    """Texts that were read from the cache."""

    computed: int
    """Texts that the augmenter computed."""


def no_progress(done: int, total: int) -> None:
    """A `Progress` that does nothing."""


def add_augmented_rows(
    rows: Dataset,
    augmenter: Augmenter,
    store: AugmentationCache,
    *,
    copies: int = 1,
    on_progress: Progress = no_progress,
) -> tuple[Dataset, AugmentationCounts]:
    """Append `copies` augmented versions of each row, except empty, unchanged and repeated ones.

    This is how MixKD composes its +BT training set: augmented examples are treated as ordinary ones, by the
    teacher and by mixup (Liang et al. 2021, section 4). A new row has the label and the index of its
    original. In a pair both texts are augmented; the row is kept if at least one of them has changed. Use
    it for training rows only. New rows are written to an Arrow file beside the cache and memory-mapped, so
    memory use stays constant.

    Args:
        rows: Training rows with the columns sentence1, sentence2 ("" for single texts), label and index.
        augmenter: Makes the new texts.
        store: Cache of its results; an interrupted call continues from there.
        copies: Number of new versions of each row, >= 1.
        on_progress: Called after each batch.

    Returns:
        The original rows followed by the new ones, and counts.

    Raises:
        ConfigError: `copies` is below 1, or above 1 for an augmenter whose copies are all equal.
        DataError: A column is missing.
        RunError: The new rows cannot be written.
    """
    _check(rows, augmenter, copies)
    rows = rows.select_columns(list(COLUMNS))
    tally: Counter[str] = Counter()
    digest = hashlib.sha256(json.dumps(rows.features.to_dict(), sort_keys=True).encode())
    for row in _new_rows(rows, augmenter, store, copies, tally, on_progress):
        digest.update(json.dumps(list(row.values())).encode())
    counts = AugmentationCounts(
        originals=len(rows),
        added=tally["added"],
        dropped_empty=tally["empty"],
        dropped_unchanged=tally["unchanged"],
        dropped_repeated=tally["repeated"],
        from_store=tally["from_store"],
        computed=tally["computed"],
    )
    _log.info(
        "%s: %d rows and %d new ones; dropped %d empty, %d unchanged, %d repeated.",
        augmenter.name, counts.originals, counts.added,
        counts.dropped_empty, counts.dropped_unchanged, counts.dropped_repeated,
    )  # fmt: skip
    if not counts.added:
        return rows, counts
    new_rows = partial(_new_rows, rows, augmenter, store, copies, Counter(), no_progress)
    extra = _written(new_rows, rows.features, store.path.parent / "rows", fingerprint(digest.hexdigest()))
    return concatenate_datasets([rows, extra]), counts


def _check(rows: Dataset, augmenter: Augmenter, copies: int) -> None:
    """Check the columns and the number of copies."""
    for column in COLUMNS:
        if column not in rows.column_names:
            raise DataError(
                f"the rows to augment have no column {column!r}, only {', '.join(rows.column_names)}."
            )
    if copies < 1:
        raise ConfigError(f"copies must be >= 1, got {copies}.")
    if copies > 1 and not augmenter.varied:
        raise ConfigError(
            f"copies is {copies}, and with these settings {augmenter.name} makes the same text every time; "
            "set copies to 1."
        )


def _new_rows(
    rows: Dataset,
    augmenter: Augmenter,
    store: AugmentationCache,
    copies: int,
    tally: Counter[str],
    on_progress: Progress,
) -> Iterator[dict[str, Any]]:
    """Yield the new rows, in the order of their originals, then of the copies; updates `tally`."""
    size = max(1, TEXTS_A_BATCH // (2 * copies))
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        originals = list(zip(batch["sentence1"], batch["sentence2"], strict=True))
        texts = [text for pair in originals for _ in range(copies) for text in pair]
        numbers = [copy for _ in originals for copy in range(copies) for _ in range(2)]
        results = store.results(augmenter, texts, numbers)
        tally.update(from_store=results.from_store, computed=results.computed)
        new_texts = iter(results.texts)
        for pair, label, index in zip(originals, batch["label"], batch["index"], strict=True):
            seen: set[tuple[str, str]] = set()
            for _ in range(copies):
                new = (next(new_texts), next(new_texts))
                status = _status(pair, new, seen)
                tally[status] += 1
                if status == "added":
                    yield dict(zip(COLUMNS, (*new, label, index), strict=True))
        on_progress(copies * (start + len(originals)), copies * len(rows))


def _written(
    rows: Callable[[], Iterator[dict[str, Any]]], features: Features, folder: Path, name: str
) -> Dataset:
    """Write `rows` to an Arrow file in `folder` and memory-map it; a file of the same `name` is reused."""
    try:
        return cached_rows(rows, features, name, folder=folder)
    except (OSError, DatasetGenerationError) as error:
        raise RunError(
            f"the new rows cannot be written to {str(folder)!r}: {error.__cause__ or error}. Free some "
            "space, or keep the cache in another folder."
        ) from error


def _status(
    old: tuple[str, str], new: tuple[str, str], seen: set[tuple[str, str]]
) -> Literal["added", "empty", "unchanged", "repeated"]:
    """Whether to add or drop a new row; `seen` are the earlier copies of its original, and is updated."""
    first = (collapse_whitespace(old[0]), collapse_whitespace(old[1]))
    second = (collapse_whitespace(new[0]), collapse_whitespace(new[1]))
    if any(before and not after for before, after in zip(first, second, strict=True)):
        return "empty"
    if first == second:
        return "unchanged"
    if second in seen:
        return "repeated"
    seen.add(second)
    return "added"
