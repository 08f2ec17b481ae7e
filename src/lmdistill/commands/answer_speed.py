"""How fast several ways to compute a classifier answer texts, timed in turn."""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from lmdistill.commands.text_model import LogitsOf
from lmdistill.evaluation.timing import timed

WARMUP = 5
"""Untimed texts of each way, and untimed passes over the batches."""

SETTLE = 2
"""Untimed answers to each text before the timed one; see `timed`."""

FEWEST = 30
"""Fewest timed answers of each way; fewer texts are asked several times."""

ROUNDS = 3
"""Timed passes over all texts in batches; the fastest counts, as the others were disturbed."""


@dataclass(frozen=True, kw_only=True)
class Speed:
    """How fast a classifier answers."""

    p50_ms: float
    """Median time from one text to its logits, in milliseconds."""

    p95_ms: float
    """95th percentile of that."""

    texts_per_second: float
    """Texts a second when all are given at once."""


def time_answers(
    ways: Mapping[str, LogitsOf], first: Sequence[str], second: Sequence[str] | None
) -> dict[str, Speed]:
    """Time every way on the same texts: one by one in turn, A B C A B C, then all at once.

    Args:
        ways: By name, from texts to logits, with the work of the tokenizer.
        first: The texts, or the first text of each pair; at least one.
        second: The second text of each pair.
    """
    singles = {name: partial(next, _one_by_one(way, first, second)) for name, way in ways.items()}
    times = timed(singles, runs=max(FEWEST, len(first)), warmup=WARMUP, settle=SETTLE)
    rates = _rates(ways, list(first), None if second is None else list(second))
    return {
        name: Speed(
            p50_ms=float(np.percentile(times[name], 50)),
            p95_ms=float(np.percentile(times[name], 95)),
            texts_per_second=rates[name],
        )
        for name in ways
    }


def spread_by_length(lengths: Sequence[int], most: int) -> list[int]:
    """Row numbers of at most `most` texts at equal steps of the order by length.

    Args:
        lengths: Of each text.
        most: Number of rows wanted, >= 1.

    Examples:
        >>> spread_by_length([5, 1, 9, 3, 7], 3)
        [1, 0, 2]
    """
    order = sorted(range(len(lengths)), key=lambda row: (lengths[row], row))
    count = min(most, len(order))
    return [order[round(at)] for at in np.linspace(0, len(order) - 1, count)]


def _one_by_one(way: LogitsOf, first: Sequence[str], second: Sequence[str] | None) -> Iterator[object]:
    """Endless answers to one text after the other, to each as often as it is asked in a row."""
    texts = [
        ([one], None if second is None else [second[row]])
        for row, one in enumerate(first)
        for _ in range(1 + SETTLE)
    ]
    return itertools.starmap(way, itertools.cycle(texts))


def _rates(ways: Mapping[str, LogitsOf], first: list[str], second: list[str] | None) -> dict[str, float]:
    """Texts a second of each way when all texts are given at once."""
    best: dict[str, float] = {}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            way(first[:1], None if second is None else second[:1])  # its threads take over
            best[name] = min(best.get(name, float("inf")), _seconds(partial(way, first, second)))
    return {name: len(first) / seconds for name, seconds in best.items()}


def _seconds(work: Callable[[], object]) -> float:
    """Wall-clock time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
