"""Which examples form which batch: a pure function of the seed, the lengths and the settings.

The sampler divides the training set into global batches, draws the partners and lambdas of mixup, and splits
each batch over processes and micro-batches. All random numbers are drawn for the global batch, before it is
split. So one batch of 8, four micro-batches of 2 and two processes with 4 each see the same examples with the
same partners and lambdas, and a run that resumes at step n needs no state of the steps before.
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
"""Number of batches that are sorted by length together; more means less padding and less random batches."""


@dataclass(frozen=True, kw_only=True)
class MicroBatch:
    """The row numbers of one micro-batch, and what mixup needs."""

    examples: Int[np.ndarray, " b"]
    """Row numbers of the examples."""

    partners: Int[np.ndarray, " b r"]
    """Row numbers of the r mixup partners of each example; r = 0 without mixup."""

    shares: Float[np.ndarray, " b r"]
    """Lambda of each pair, in [0, 1]: the weight of the example; its partner has 1 - lambda."""


@dataclass(frozen=True, kw_only=True)
class BatchSampler:
    """The batches of a whole run. Iterating yields a list of `MicroBatch` for each step and process."""

    lengths: Int[np.ndarray, " n"]
    """Number of tokens of each training example."""

    batch_size: int
    """Examples per optimizer step, over all processes and micro-batches, >= 1."""

    epochs: int
    """Passes over the training set, >= 1."""

    seed: int
    """Random seed of the order, the mixup partners and the lambdas."""

    accumulate: int = 1
    """Micro-batches into which each process splits its part of a batch, >= 1 (gradient accumulation)."""

    processes: int = 1
    """Number of processes that share each batch, >= 1."""

    process: int | None = None
    """Rank of the process whose micro-batches are yielded, from 0; None yields those of all, in turn."""

    mixing: MixupSettings | None = None
    """Settings of mixup; None draws no partners."""

    group_by_length: bool = True
    """Whether batches consist of examples of similar length, which reduces padding."""

    start: int = 0
    """First step to yield, >= 0; for a run that resumes."""

    def __post_init__(self) -> None:
        if len(self.lengths) == 0:
            raise DataError("the training set is empty. Check the source and its filters.")
        smallest = len(self.lengths) // self.steps_per_epoch
        if smallest < self.processes:
            raise DataError(
                f"batch_size is {self.batch_size} and there are {self.processes} processes; with "
                f"{len(self.lengths)} training rows a step has only {smallest} of them. Raise batch_size."
            )

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps per epoch. Batch sizes differ by at most one; there is no smaller last batch."""
        return max(1, -(-len(self.lengths) // self.batch_size))

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.epochs * self.steps_per_epoch

    def __len__(self) -> int:
        """Number of lists that iterating yields."""
        return (self.total_steps - self.start) * len(self._ranks)

    @property
    def _ranks(self) -> Sequence[int]:
        """Ranks of the processes whose micro-batches are yielded."""
        return range(self.processes) if self.process is None else (self.process,)

    def __iter__(self) -> Iterator[list[MicroBatch]]:
        for epoch in range(self.start // self.steps_per_epoch, self.epochs):
            batches = self._epoch(epoch)
            first = max(0, self.start - epoch * self.steps_per_epoch)
            for number, examples in enumerate(batches[first:], start=first):
                yield from self._split(examples, epoch * self.steps_per_epoch + number)

    def _epoch(self, epoch: int) -> list[Int[np.ndarray, " b"]]:
        """The global batches of one epoch, in order, as row numbers."""
        rng = generator(self.seed, "order", epoch)
        order = rng.permutation(len(self.lengths))
        edges = np.linspace(0, len(order), self.steps_per_epoch + 1).round().astype(int)
        if self.group_by_length:
            for first in range(0, self.steps_per_epoch, POOL):
                pool = slice(edges[first], edges[min(first + POOL, self.steps_per_epoch)])
                order[pool] = order[pool][np.argsort(self.lengths[order[pool]], kind="stable")]
        batches = [order[first:end] for first, end in pairwise(edges)]
        return [batches[i] for i in rng.permutation(len(batches))]

    def _split(self, examples: Int[np.ndarray, " b"], step: int) -> Iterator[list[MicroBatch]]:
        """Draw mixup partners for one global batch and split it into the micro-batches of each process."""
        rng = generator(self.seed, "mix", step)
        no_partners = np.zeros((len(examples), 0))
        partners, shares = no_partners.astype(np.int64), no_partners
        if self.mixing is not None:
            partners = draw_partners(self.mixing, rng, examples, total=len(self.lengths))
            shares = draw_shares(self.mixing, rng, len(examples))
        parts = self.processes * max(1, min(self.accumulate, len(examples) // self.processes))
        micro_batches = [
            MicroBatch(examples=e, partners=p, shares=s)
            for e, p, s in zip(
                np.array_split(examples, parts),
                np.array_split(partners, parts),
                np.array_split(shares, parts),
                strict=True,
            )
        ]
        for process in self._ranks:
            yield micro_batches[process :: self.processes]


def evaluation_batches(lengths: Int[np.ndarray, " n"], *, batch_size: int) -> Iterator[list[MicroBatch]]:
    """Batches for evaluation: every example once, longest first; `Batch.examples` has the row numbers.

    Args:
        lengths: Number of tokens of each example.
        batch_size: Examples per batch, >= 1.

    Returns:
        Lists of one `MicroBatch` without mixup partners.
    """
    order = np.argsort(-lengths, kind="stable")
    for low in range(0, len(order), batch_size):
        rows = order[low : low + batch_size]
        no_partners = np.zeros((len(rows), 0))
        yield [MicroBatch(examples=rows, partners=no_partners.astype(np.int64), shares=no_partners)]
