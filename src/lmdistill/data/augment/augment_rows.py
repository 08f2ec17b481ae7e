"""Training rows with augmented ones behind them: what a recipe calls."""

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

COLUMNS = ("sentence1", "sentence2", "label", "index")
TEXTS_A_BATCH = 1024

Progress = Callable[[int, int], None]
"""Told (done, total) after each batch, in rows times copies."""

_log = logging.getLogger("lmdistill")


@dataclass(frozen=True, kw_only=True)
class AugmentationCounts:
    """What became of the originals. Every row asked for is added or dropped: originals * copies in all."""

    originals: int
    """Rows that came in; they are the first rows that go out."""

    added: int
    """New rows behind them."""

    dropped_empty: int
    """New rows with an empty text where the original has one."""

    dropped_unchanged: int
    """New rows equal to their original but for white space; of a pair, both sentences."""

    dropped_repeated: int
    """New rows equal to an earlier copy of the same original but for white space."""

    from_store: int
    """Texts that were found in the store."""

    computed: int
    """Texts that the augmenter made now."""


def no_progress(done: int, total: int) -> None:
    """A `Progress` that tells no one."""


def add_augmented_rows(
    rows: Dataset,
    augmenter: Augmenter,
    store: AugmentationCache,
    *,
    copies: int = 1,
    on_progress: Progress = no_progress,
) -> tuple[Dataset, AugmentationCounts]:
    """The rows, and behind them `copies` augmented versions of each that are neither empty nor unchanged.

    The composition of MixKD's +BT rows: augmented examples are ordinary ones, for the teacher and for mixup
    alike (Liang et al. 2021, section 4). A new row keeps the label and the index of its original; of a pair,
    both sentences are augmented, and one that stays as it was is kept beside one that changed. Call it on
    training rows only. New rows are an arrow file beside the store, so that memory stays flat.

    Args:
        rows: Training rows with the columns sentence1, sentence2 ("" for single texts), label and index.
        augmenter: What makes new texts.
        store: Where results are found and filed; a stopped call goes on from there.
        copies: New versions of each row, >= 1.
        on_progress: Told how far it is.

    Raises:
        ConfigError: `copies` is below 1, or above 1 for an augmenter whose copies are all the same.
        DataError: A column is missing.
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
    again = partial(_new_rows, rows, augmenter, store, copies, Counter(), no_progress)
    extra = _written(again, rows.features, store.path.parent / "rows", fingerprint(digest.hexdigest()))
    return concatenate_datasets([rows, extra]), counts


def _check(rows: Dataset, augmenter: Augmenter, copies: int) -> None:
    """Refuse what cannot work before anything is computed."""
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
    """New rows in the order of their originals, then of the copies; `tally` counts on the way."""
    size = max(1, TEXTS_A_BATCH // (2 * copies))
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        originals = list(zip(batch["sentence1"], batch["sentence2"], strict=True))
        texts = [text for pair in originals for _ in range(copies) for text in pair]
        numbers = [copy for _ in originals for copy in range(copies) for _ in range(2)]
        results = store.results(augmenter, texts, numbers)
        tally.update(from_store=results.from_store, computed=results.computed)
        made = iter(results.texts)
        for pair, label, index in zip(originals, batch["label"], batch["index"], strict=True):
            seen: set[tuple[str, str]] = set()
            for _ in range(copies):
                new = (next(made), next(made))
                fate = _fate(pair, new, seen)
                tally[fate] += 1
                if fate == "added":
                    yield dict(zip(COLUMNS, (*new, label, index), strict=True))
        on_progress(copies * (start + len(originals)), copies * len(rows))


def _written(
    rows: Callable[[], Iterator[dict[str, Any]]], features: Features, folder: Path, name: str
) -> Dataset:
    """`rows` as an arrow file in `folder`, memory-mapped; the file is used again if `name` exists."""
    try:
        return Dataset.from_generator(rows, features=features, cache_dir=str(folder), fingerprint=name)
    except (OSError, DatasetGenerationError) as error:
        raise RunError(
            f"the new rows cannot be written to {str(folder)!r}: {error.__cause__ or error}; free space, or "
            "keep the store in another folder."
        ) from error


def _fate(
    old: tuple[str, str], new: tuple[str, str], seen: set[tuple[str, str]]
) -> Literal["added", "empty", "unchanged", "repeated"]:
    """What becomes of `new`; `seen` are its earlier siblings, to which it is added."""
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
