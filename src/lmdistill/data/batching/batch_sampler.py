"""Which examples meet in which step: a pure function of the seed, the lengths and the settings.

A plan cuts the training set into global batches, draws partners and shares for methods that mix, and splits
each batch over processes and micro-batches. Everything random is drawn for the global batch, before it is
split: so 1 x 8, 4 x 2 and two processes of 4 see the same examples with the same partners and shares, and a
run that continues at step n needs no history.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from lmdistill.core.batch import MixupSettings
from lmdistill.core.errors import DataError
from lmdistill.core.seeding import generator
from lmdistill.data.mixup import draw_partners, draw_shares

POOL = 50
"""Batches whose examples are sorted by length together."""


@dataclass(frozen=True, kw_only=True)
class MicroBatch:
    """One micro-batch, as row numbers."""

    examples: Int[np.ndarray, " b"]
    """Rows of the originals."""

    partners: Int[np.ndarray, " b r"]
    """Rows of each original's partners; no columns when nothing is mixed."""

    shares: Float[np.ndarray, " b r"]
    """Lambda of each pair."""


@dataclass(frozen=True, kw_only=True)
class BatchSampler:
    """All steps of a run. Iterating gives a list of `MicroBatch`s for each step and process in turn."""

    lengths: Int[np.ndarray, " n"]
    """Tokens of each training example."""

    batch_size: int
    """Examples of one optimizer step, over all processes and micro-batches, >= 1."""

    epochs: int
    """Passes over the training set, >= 1."""

    seed: int
    """Of the order, the partners and the shares."""

    accumulate: int = 1
    """Micro-batches a process splits its share of a batch into, >= 1."""

    processes: int = 1
    """Processes that share a batch, >= 1."""

    process: int | None = None
    """Which of them to deal to, from 0; to all in turn when None."""

    mixing: MixupSettings | None = None
    """What to draw for methods that interpolate."""

    group_by_length: bool = True
    """Put examples of similar length together, so that little is padded."""

    start: int = 0
    """First step, for a run that continues."""

    def __post_init__(self) -> None:
        if len(self.lengths) == 0:
            raise DataError(
                "the training set is empty; there is nothing to learn from. Check the source and its filters."
            )
        smallest = len(self.lengths) // self.steps_per_epoch
        if smallest < self.processes:
            raise DataError(
                f"batch_size is {self.batch_size} and there are {self.processes} processes; with "
                f"{len(self.lengths)} training rows a step has as few as {smallest}. Raise batch_size."
            )

    @property
    def steps_per_epoch(self) -> int:
        """Steps of one pass; batches differ by at most one example, none is a small rest."""
        return max(1, -(-len(self.lengths) // self.batch_size))

    @property
    def total_steps(self) -> int:
        """Steps of the whole run."""
        return self.epochs * self.steps_per_epoch

    def __len__(self) -> int:
        """Lists that iterating gives."""
        return (self.total_steps - self.start) * len(self._dealt)

    @property
    def _dealt(self) -> Sequence[int]:
        """Processes that get their lists."""
        return range(self.processes) if self.process is None else (self.process,)

    def __iter__(self) -> Iterator[list[MicroBatch]]:
        for epoch in range(self.start // self.steps_per_epoch, self.epochs):
            batches = self._epoch(epoch)
            first = max(0, self.start - epoch * self.steps_per_epoch)
            for number, examples in enumerate(batches[first:], start=first):
                yield from self._split(examples, epoch * self.steps_per_epoch + number)

    def _epoch(self, epoch: int) -> list[Int[np.ndarray, " b"]]:
        """The global batches of one pass, in order."""
        rng = generator(self.seed, "order", epoch)
        order = rng.permutation(len(self.lengths))
        edges = np.linspace(0, len(order), self.steps_per_epoch + 1).round().astype(int)
        if self.group_by_length:
            for low in range(0, self.steps_per_epoch, POOL):
                pool = slice(edges[low], edges[min(low + POOL, self.steps_per_epoch)])
                order[pool] = order[pool][np.argsort(self.lengths[order[pool]], kind="stable")]
        batches = [order[low:high] for low, high in pairwise(edges)]
        return [batches[i] for i in rng.permutation(len(batches))]

    def _split(self, examples: Int[np.ndarray, " b"], step: int) -> Iterator[list[MicroBatch]]:
        """Draw what the step needs, then deal its parts out to the processes."""
        rng = generator(self.seed, "mix", step)
        none = np.zeros((len(examples), 0))
        partners, shares = none.astype(np.int64), none
        if self.mixing is not None:
            partners = draw_partners(self.mixing, rng, examples, total=len(self.lengths))
            shares = draw_shares(self.mixing, rng, len(examples))
        parts = self.processes * max(1, min(self.accumulate, len(examples) // self.processes))
        cuts = [
            MicroBatch(examples=e, partners=p, shares=s)
            for e, p, s in zip(
                np.array_split(examples, parts),
                np.array_split(partners, parts),
                np.array_split(shares, parts),
                strict=True,
            )
        ]
        for process in self._dealt:
            yield cuts[process :: self.processes]


def evaluation_batches(lengths: Int[np.ndarray, " n"], *, batch_size: int) -> Iterator[list[MicroBatch]]:
    """Every example once, longest first, for evaluation; `Batch.examples` says which row is which."""
    order = np.argsort(-lengths, kind="stable")
    for low in range(0, len(order), batch_size):
        rows = order[low : low + batch_size]
        none = np.zeros((len(rows), 0))
        yield [MicroBatch(examples=rows, partners=none.astype(np.int64), shares=none)]
