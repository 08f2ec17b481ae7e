"""Logits of a classifier for fixed texts, computed once and memory-mapped.

They are computed in chunks of rows, and a killed command goes on after the last whole chunk. Chunks do not
depend on where a command was killed, so the numbers do not either.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from lmdistill.core.errors import RunError
from lmdistill.core.file_lock import exclusive_file, lock_of
from lmdistill.core.fingerprint import fingerprint
from lmdistill.core.progress import progress
from lmdistill.stores.manifest import MANIFEST, Manifest, require_store, write_manifest

log = logging.getLogger("lmdistill")

KIND = "classifier logits"
"""Kind of these stores."""

LOGITS = "logits.npy"
"""File with an array of one row for each text and one column for each class, float32."""

CHUNK = 2048
"""Number of rows that are computed and written at once."""


def logits_manifest(
    *,
    model: str,
    tokenizer: str,
    texts: str,
    max_length: int,
    rows: int,
    labels: Sequence[str],
    settings: Mapping[str, Any] | None = None,
) -> Manifest:
    """The manifest of stored logits; see `Manifest`.

    `labels` are the classes in the order of the columns, and `settings` what else decides the logits.
    """
    return Manifest(
        kind=KIND,
        model=model,
        tokenizer=tokenizer,
        texts=texts,
        max_length=max_length,
        dtype="float32",
        rows=rows,
        settings={"labels": list(labels), **(settings or {})},
    )


def stored_logits(
    folder: Path,
    wanted: Manifest,
    compute: Callable[[int, int], Float[np.ndarray, "k v"]],
    *,
    on_damage: str = "make again",
) -> Float[np.ndarray, "n v"]:
    """The logits of a store, which is made first if it is missing or damaged.

    Args:
        folder: The store. Several commands may ask for it at once: one makes it, the others wait.
        wanted: What the logits must have been computed from.
        compute: The logits of the rows from a first one up to, and without, a last one.
        on_damage: "make again" a store that is damaged or of something else, or "refuse" it.

    Returns:
        A read-only memory-mapped array.

    Raises:
        RunError: With "refuse", if the store is damaged or of something else; the message names the field.
    """
    with exclusive_file(lock_of(folder)):
        if (folder / MANIFEST).is_file():
            try:
                require_store(folder, wanted)
                return opened_logits(folder)
            except RunError as error:
                if on_damage == "refuse":
                    raise
                log.warning("%s It is made again.", error)
                (folder / MANIFEST).unlink()
                (folder / LOGITS).unlink(missing_ok=True)
        _compute(folder, wanted, compute)
        return opened_logits(folder)


def opened_logits(folder: Path) -> Float[np.ndarray, "n v"]:
    """The read-only, memory-mapped array of a complete store."""
    found: np.ndarray = np.load(folder / LOGITS, mmap_mode="r", allow_pickle=False)
    return found


def _compute(folder: Path, wanted: Manifest, compute: Callable[[int, int], Float[np.ndarray, "k v"]]) -> None:
    """Compute what is missing of the rows, then put the array and its manifest in place."""
    folder.mkdir(parents=True, exist_ok=True)
    width = max(1, len(wanted.settings["labels"]))
    part, row_bytes = folder / f"logits-{fingerprint(asdict(wanted))}.part", 4 * width
    done = part.stat().st_size // row_bytes // CHUNK * CHUNK if part.exists() else 0
    done = min(done, wanted.rows)
    with part.open("ab") as file, progress("teacher outputs", wanted.rows, unit="text") as shown:
        file.truncate(done * row_bytes)
        shown.resume(done)
        for first in range(done, wanted.rows, CHUNK):
            last = min(first + CHUNK, wanted.rows)
            file.write(np.ascontiguousarray(compute(first, last), dtype=np.float32).tobytes())
            file.flush()
            shown.update(last)
    whole = np.memmap(part, dtype=np.float32, mode="r", shape=(wanted.rows, width))
    np.save(folder / LOGITS, whole, allow_pickle=False)
    write_manifest(folder, wanted, (LOGITS,))
    del whole
    part.unlink()
