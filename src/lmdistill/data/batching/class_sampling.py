"""Which labelled rows are drawn where all classes are to be seen equally often."""

import numpy as np
from jaxtyping import Int

from lmdistill.core.seeding import generator

BLOCK = 1024
"""Number of draws of a class that share a random generator, if it has fewer rows."""


def draws_by_class(
    classes: Int[np.ndarray, " n"], *, seed: int, first: int, end: int
) -> Int[np.ndarray, " k"]:
    """Draws `first` to `end` of an endless sequence of rows in which all classes are equally frequent.

    The classes that have rows take turns, and each goes through its rows in a random order, then in another
    one, and so on. So in any part of the sequence the counts of two classes differ by at most 1, and those of
    two rows of a class too if the part begins with the sequence: a row of class c is drawn with a frequency
    of 1 / (number of classes * rows of c).

    Args:
        classes: Class number of each row; rows with -1 have no label and are never drawn.
        seed: Random seed.
        first: Number of the first draw, >= 0.
        end: Number after the last one.

    Returns:
        Row numbers in the order of the sequence, k = end - first; a row may occur several times.

    Examples:
        >>> classes = np.array([0, 1, 1, 1, -1])
        >>> rows = draws_by_class(classes, seed=0, first=0, end=6)
        >>> np.bincount(rows, minlength=5).tolist()
        [3, 1, 1, 1, 0]
    """
    present = np.unique(classes[classes >= 0])
    draws = np.empty(end - first, dtype=np.int64)
    for turn, number in enumerate(present):
        rows = np.flatnonzero(classes == number)
        begin, stop = (-(-(at - turn) // len(present)) for at in (first, end))  # draws of this class before
        places = np.arange(begin, stop) * len(present) + turn - first
        if stop > begin:
            draws[places] = _draws_of_class(rows, begin, stop, seed=seed, number=int(number))
    return draws


def _draws_of_class(
    rows: Int[np.ndarray, " n"], first: int, end: int, *, seed: int, number: int
) -> Int[np.ndarray, " k"]:
    """Draws `first` to `end` of a class: its rows in a random order, then in another one, and so on.

    Several orders share a random generator, since a rare class goes through its rows many times an epoch.
    """
    together = max(1, BLOCK // len(rows))
    size = together * len(rows)
    blocks = range(first // size, -(-end // size))
    orders = np.tile(rows, (together, 1))
    drawn = [generator(seed, "class", number, one).permuted(orders, axis=1).ravel() for one in blocks]
    skipped = first - blocks.start * size
    found: Int[np.ndarray, " k"] = np.concatenate(drawn)[skipped : skipped + end - first]
    return found
