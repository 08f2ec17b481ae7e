"""Pairs that share a text: a dev set must not hold a text that the student has learned from."""

import hashlib

import numpy as np
from datasets import Dataset
from jaxtyping import Int, UInt64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

MOST_ROWS = 0.05
"""Share of the rows above which a text links none of them: a question or a label in words, for example."""

FEW = 20
"""Number of rows up to which a text links them in any table."""

MOST_LINKED = 0.5
"""Share of the rows above which a group of linked ones is not kept together."""


def linked_pairs(rows: Dataset, equal: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """A number for each row; rows have the same if a chain of shared texts leads from one to the other.

    In question pairs, questions repeat: if (a, b) and (b, c) are rows, a classifier that has learned from one
    knows half of the other. Texts are compared without case and with single spaces. A text in more than 20
    rows and in more than 5 % of them links nothing. A group of more than half of the rows is taken apart into
    equal pairs.

    Args:
        rows: Columns sentence1 and sentence2; an empty text links nothing.
        equal: A number >= 0 for each row; those of rows with the same texts are the same.

    Returns:
        Numbers >= 0.
    """
    count = rows.num_rows
    texts = np.concatenate([_hashes(rows, column) for column in ("sentence1", "sentence2")])
    _, places, times = np.unique(texts, return_inverse=True, return_counts=True)
    places = places.reshape(-1)
    links = ((times <= max(FEW, MOST_ROWS * count))[places]) & (texts != 0)
    number = np.arange(count)
    ends = np.concatenate([equal, equal.max(initial=0) + 1 + places[links]])  # rows hang on pairs and texts
    starts = np.concatenate([number, np.tile(number, 2)[links]])
    size = count + int(ends.max(initial=0)) + 1
    graph = coo_array((np.ones(len(ends), dtype=bool), (starts, count + ends)), shape=(size, size))
    groups = connected_components(graph, directed=False)[1][:count]
    is_large = np.bincount(groups)[groups] > MOST_LINKED * count
    return np.asarray(np.where(is_large, size + equal, groups), dtype=np.int64)


def _hashes(rows: Dataset, column: str) -> UInt64[np.ndarray, " n"]:
    """A hash of each text in lower case and with single spaces; 0 for an empty one."""
    hashes = np.zeros(rows.num_rows, dtype=np.uint64)
    position = 0
    for batch in rows.select_columns([column]).with_format(None).iter(batch_size=1000):
        for text in batch[column]:
            if normal := " ".join(text.split()).casefold():
                digest = hashlib.blake2b(normal.encode(), digest_size=8).digest()
                hashes[position] = max(1, int.from_bytes(digest, "big"))
            position += 1
    return hashes
