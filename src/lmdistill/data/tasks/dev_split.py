"""Held-out dev rows: a share of each class or of each range of scores, with equal texts on one side."""

from dataclasses import dataclass

import numpy as np
from datasets import Dataset
from jaxtyping import Bool, Int, Num, UInt64

from lmdistill.core.errors import DataError
from lmdistill.core.seeding import generator
from lmdistill.data.tasks.linked_rows import linked_pairs
from lmdistill.data.tasks.subsample import labels_of, strata_of
from lmdistill.data.tasks.text_hashes import text_hashes

MOST_RANGES = 10
"""Maximum number of ranges of scores from which dev rows are drawn in proportion."""


@dataclass(frozen=True, kw_only=True)
class EqualTexts:
    """Which examples have the same texts, apart from case and spaces."""

    groups: Int[np.ndarray, " n"]
    """Group of each row; rows with the same texts share one. Groups are numbered by their first row."""

    first: Int[np.ndarray, " g"]
    """First row of each group."""

    sizes: Int[np.ndarray, " g"]
    """Number of rows of each group."""

    unlike: int
    """Number of groups whose rows have different labels."""

    @property
    def repeats(self) -> int:
        """Number of rows whose texts occur in an earlier row."""
        return len(self.groups) - len(self.first)


def equal_texts(hashes: UInt64[np.ndarray, " n"], labels: Num[np.ndarray, "n *labels"]) -> EqualTexts:
    """Group the rows by their texts.

    Args:
        hashes: From `text_hashes`.
        labels: Class numbers, scores, or 0 and 1 for each of several labels.
    """
    _, first, inverse, sizes = np.unique(hashes, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    groups = rank[inverse.reshape(-1)]
    codes = np.unique(labels, axis=0, return_inverse=True)[1].reshape(-1)
    pairs = np.unique(groups * (int(codes.max(initial=0)) + 1) + codes)
    labels_per_group = np.bincount(pairs // (int(codes.max(initial=0)) + 1))
    return EqualTexts(
        groups=groups, first=first[order], sizes=sizes[order], unlike=int((labels_per_group > 1).sum())
    )


def hold_out_dev(
    rows: Dataset, fraction: float, *, seed: int = 0, equal: EqualTexts | None = None
) -> tuple[Dataset, Dataset]:
    """Split rows into training and held-out rows, both in their original order.

    Each class, or each range of scores, gives its share as far as that is possible in whole rows; of several
    labels of a row, the rarest counts as its class (`strata_of`). Rows with the same texts are on one side,
    and so are pairs that share a text (`linked_pairs`).
    Every class keeps at least one training row, if possible, and one whose share is a row or more has a dev
    row. The choice depends on the rows, the fraction and the seed only.

    Args:
        rows: At least two examples.
        fraction: Fraction to hold out, in (0, 1); at least one row.
        seed: Random seed.
        equal: Which rows have the same texts, if that is known already.

    Returns:
        (training rows, held-out rows).

    Raises:
        DataError: There are fewer than two rows, or all have the same texts.
    """
    if rows.num_rows < 2:
        raise DataError(
            f"{rows.num_rows} rows cannot be split into training and dev data. Add rows or a dev file."
        )
    labels = labels_of(rows)
    equal = equal_texts(text_hashes(rows), labels) if equal is None else equal
    if len(equal.first) < 2:
        raise DataError(
            f"all {rows.num_rows} rows have the same text, so none can be held out. Add rows or a dev file."
        )
    equal = _with_links(rows, equal, labels)
    total = min(max(1, round(fraction * rows.num_rows)), rows.num_rows - 1)
    are_classes = bool(np.issubdtype(labels.dtype, np.integer))
    strata = (
        np.unique(strata_of(labels), return_inverse=True)[1].reshape(-1)
        if are_classes
        else _ranges(labels, total)
    )
    quotas = _quotas(np.bincount(strata), total, are_classes, seed)
    chosen = _chosen_groups(equal, strata, quotas, seed)
    if are_classes:
        _hold_out_every_class(chosen, equal, strata, quotas)
        _keep_every_class(chosen, equal, strata)
    held_out = chosen[equal.groups]
    return rows.select(np.flatnonzero(~held_out)), rows.select(np.flatnonzero(held_out))


def _with_links(rows: Dataset, equal: EqualTexts, labels: Num[np.ndarray, "n *labels"]) -> EqualTexts:
    """`equal`, or for pairs of texts what is linked by shared ones, if that leaves two groups."""
    second = rows.select_columns(["sentence2"]).with_format(None)
    if not any(any(batch["sentence2"]) for batch in second.iter(batch_size=1000)):
        return equal
    linked = equal_texts(linked_pairs(rows, equal.groups).astype(np.uint64), labels)
    return linked if len(linked.first) > 1 else equal


def _ranges(scores: Num[np.ndarray, " n"], total: int) -> Int[np.ndarray, " n"]:
    """The range of each score: as many ranges as there are dev rows, up to 10, each with as many rows."""
    ranks = np.empty(len(scores), dtype=np.int64)
    ranks[np.argsort(scores, kind="stable")] = np.arange(len(scores))
    ranges: Int[np.ndarray, " n"] = ranks * min(total, MOST_RANGES) // len(scores)
    return ranges


def _quotas(counts: Int[np.ndarray, " s"], total: int, keep_one: bool, seed: int) -> Int[np.ndarray, " s"]:
    """The number of dev rows of each stratum, by the largest remainders; ties are broken at random.

    Args:
        counts: Rows of each stratum.
        total: Dev rows that are wanted.
        keep_one: Whether every stratum keeps a training row.
        seed: Random seed.
    """
    room: Int[np.ndarray, " s"] = counts - 1 if keep_one and (counts > 1).any() else counts
    shares = counts * total / counts.sum()
    quotas: Int[np.ndarray, " s"] = np.minimum(np.floor(shares).astype(np.int64), room)
    ties = generator(seed, "dev", "shares").permutation(len(counts))
    order = ties[np.argsort(quotas[ties] - shares[ties], kind="stable")]
    while quotas.sum() < min(total, room.sum()):
        for stratum in order:
            if quotas[stratum] < room[stratum] and quotas.sum() < total:
                quotas[stratum] += 1
    return np.asarray(quotas)


def _chosen_groups(
    equal: EqualTexts, strata: Int[np.ndarray, " n"], quotas: Int[np.ndarray, " s"], seed: int
) -> Bool[np.ndarray, " g"]:
    """Which groups are held out: random ones whose rows fit into what each of their strata has left."""
    left = quotas.copy()
    chosen = np.zeros(len(equal.first), dtype=bool)
    rows = np.split(strata[np.argsort(equal.groups, kind="stable")], np.cumsum(equal.sizes)[:-1])
    for group in generator(seed, "dev").permutation(len(equal.first)):
        found, counts = np.unique(rows[group], return_counts=True)
        if (counts <= left[found]).all():
            left[found] -= counts
            chosen[group] = True
            if not left.any():
                break
    if not chosen.any():
        chosen[int(np.argmin(equal.sizes))] = True
    return chosen


def _hold_out_every_class(
    chosen: Bool[np.ndarray, " g"],
    equal: EqualTexts,
    strata: Int[np.ndarray, " n"],
    quotas: Int[np.ndarray, " s"],
) -> None:
    """Hold out, in place, the smallest group of a class with a share but no group that fits into it.

    The groups are then larger than the share, since their texts repeat. A class with one group keeps it.
    """
    for stratum in np.setdiff1d(np.flatnonzero(quotas), strata[chosen[equal.groups]]):
        groups = np.flatnonzero(strata[equal.first] == stratum)
        if len(groups) > 1:
            chosen[groups[np.argmin(equal.sizes[groups])]] = True


def _keep_every_class(
    chosen: Bool[np.ndarray, " g"], equal: EqualTexts, strata: Int[np.ndarray, " n"]
) -> None:
    """Take groups back, in place, that hold the last rows of a class which is not that of their first row."""
    for lost in np.setdiff1d(strata, strata[~chosen[equal.groups]]):
        if chosen.sum() > 1:
            chosen[equal.groups[np.flatnonzero(strata == lost)[0]]] = False
