"""Hashes of the texts of examples, by which equal texts are found."""

import hashlib
from collections.abc import Iterable

import numpy as np
from datasets import Dataset
from jaxtyping import UInt64


def hashes_of(first: Iterable[str], second: Iterable[str]) -> UInt64[np.ndarray, " n"]:
    """A hash of each pair of texts, in lower case and with single spaces; 8 bytes each.

    Args:
        first: The texts, or the first text of each pair.
        second: The second text of each pair; "" for single texts.
    """
    return np.fromiter(map(_hash, first, second), dtype=np.uint64)


def _hash(*texts: str) -> int:
    """BLAKE2b of the texts of an example, 8 bytes."""
    normal = "\0".join(" ".join(text.split()).casefold() for text in texts)
    digest = hashlib.blake2b(normal.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def text_hashes(rows: Dataset) -> UInt64[np.ndarray, " n"]:
    """The hash of each example, see `hashes_of`.

    Args:
        rows: Columns sentence1 and sentence2.
    """
    texts = rows.select_columns(["sentence1", "sentence2"]).with_format(None)
    found = [hashes_of(batch["sentence1"], batch["sentence2"]) for batch in texts.iter(batch_size=1000)]
    return np.concatenate([np.empty(0, dtype=np.uint64), *found])
