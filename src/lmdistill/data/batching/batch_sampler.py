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
from jaxtyping import Bool, Float, Int

from lmdistill.core.batch import MixupSettings
from lmdistill.core.errors import DataError
from lmdistill.core.seeding import generator
from lmdistill.data.batching.class_sampling import draws_by_class
from lmdistill.data.mixup import draw_shares, partners_in_batch, partners_in_training_set

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
    """Whether batches consist of examples of similar length, which reduces padding. With mixup partners from
    the training set, an example counts with the longest of its partners if that is longer."""

    labelled: Bool[np.ndarray, " n"] | None = None
    """Whether each training example has a gold label; None if all have."""

    labelled_per_batch: int | None = None
    """Labelled examples in each batch, in [1, batch_size): an epoch is then a pass over the others, and the
    labelled ones are repeated as often as that takes. None shuffles both together."""

    classes: Int[np.ndarray, " n"] | None = None
    """Class of each training example, -1 without a label: labelled ones are drawn by class, as
    `draws_by_class` does, and as many in an epoch as there are. None takes each once."""

    most: int | None = None
    """Most optimizer steps, >= 1; the last epoch is cut short. None has no limit."""

    start: int = 0
    """First step to yield, >= 0; for a run that resumes."""

    def __post_init__(self) -> None:
        if len(self.lengths) == 0:
            raise DataError("the training set is empty. Check the source and its filters.")
        self._check_labelled()
        smallest = (self.labelled_per_batch or 0) + self._passed // self.steps_per_epoch
        if smallest < self.processes:
            raise DataError(
                f"batch_size is {self.batch_size} and there are {self.processes} processes; with "
                f"{len(self.lengths)} training rows a step has only {smallest} of them. Raise batch_size."
            )
        self._check_partners(smallest)

    def _check_labelled(self) -> None:
        """Check that batches can hold the wanted number of labelled examples."""
        wanted = self.labelled_per_batch
        if wanted is None:
            return
        if self.labelled is None or not 0 < self.labelled.sum() < len(self.labelled):
            raise DataError(
                f"labelled_per_batch is {wanted}, which needs rows with and without labels. Set "
                "data.unlabelled, or leave labelled_per_batch out."
            )
        if not 1 <= wanted < self.batch_size:
            raise DataError(
                f"labelled_per_batch is {wanted} and batch_size is {self.batch_size}; it must be at least 1 "
                "and below batch_size. Change one of them."
            )

    @property
    def _passed(self) -> int:
        """Number of training examples that an epoch goes through once."""
        if self.labelled is None or self.labelled_per_batch is None:
            return len(self.lengths)
        return int((~self.labelled).sum())

    def _check_partners(self, smallest: int) -> None:
        """Check that every example has another one to be mixed with."""
        if self.mixing is None:
            return
        if len(self.lengths) == 1:
            raise DataError(
                "mixup needs 2 training rows, and there is 1. Add rows, or choose another method."
            )
        if self.mixing.partner == "batch" and smallest == 1:
            raise DataError(
                f"batch_size is {self.batch_size}, so that a batch may have 1 example, and partner: batch "
                "needs 2. Raise batch_size, or choose partner: train."
            )

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps per epoch. Batch sizes differ by at most one; there is no smaller last batch."""
        return max(1, -(-self._passed // (self.batch_size - (self.labelled_per_batch or 0))))

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole run."""
        steps = self.epochs * self.steps_per_epoch
        return steps if self.most is None else min(steps, self.most)

    def __len__(self) -> int:
        """Number of lists that iterating yields."""
        return (self.total_steps - self.start) * len(self._ranks)

    @property
    def _ranks(self) -> Sequence[int]:
        """Ranks of the processes whose micro-batches are yielded."""
        return range(self.processes) if self.process is None else (self.process,)

    def __iter__(self) -> Iterator[list[MicroBatch]]:
        for epoch in range(self.start // self.steps_per_epoch, -(-self.total_steps // self.steps_per_epoch)):
            rows = self._rows_of_epoch(epoch)
            partners = self._partners_of_rows(epoch, rows)
            batches = self._epoch(epoch, rows, partners)
            first = max(0, self.start - epoch * self.steps_per_epoch)
            last = self.total_steps - epoch * self.steps_per_epoch
            for number, draws in enumerate(batches[first:last], start=first):
                own = None if partners is None else partners[draws]
                yield from self._split(rows[draws], own, epoch * self.steps_per_epoch + number)

    def _rows_of_epoch(self, epoch: int) -> Int[np.ndarray, " k"]:
        """The row of each draw of an epoch: every row once, or those with a label by class after the others.

        Several draws may have the same row, and each has mixup partners of its own.
        """
        if self.classes is None:
            return np.arange(len(self.lengths))
        count = self._labelled_draws
        drawn = draws_by_class(self.classes, seed=self.seed, first=epoch * count, end=(epoch + 1) * count)
        shuffled = generator(self.seed, "by class", epoch).permutation(drawn)
        return np.concatenate([np.flatnonzero(self.classes < 0), shuffled])

    @property
    def _labelled_draws(self) -> int:
        """Draws of rows with a label in an epoch, if they are drawn by class or a number of them a batch."""
        if self.labelled_per_batch is not None:
            return self.steps_per_epoch * self.labelled_per_batch
        return 0 if self.classes is None else int((self.classes >= 0).sum())

    def _partners_of_rows(self, epoch: int, rows: Int[np.ndarray, " k"]) -> Int[np.ndarray, " k r"] | None:
        """The mixup partners of each draw of an epoch; None if they are drawn in the batch."""
        if self.mixing is None or self.mixing.partner != "train":
            return None
        rng = generator(self.seed, "partners", epoch)
        return partners_in_training_set(rng, len(self.lengths), self.mixing.ratio, rows)

    def _epoch(
        self, epoch: int, rows: Int[np.ndarray, " k"], partners: Int[np.ndarray, " k r"] | None
    ) -> list[Int[np.ndarray, " b"]]:
        """The global batches of one epoch, in order, as numbers of draws."""
        rng = generator(self.seed, "order", epoch)
        order = rng.permutation(len(rows))
        lengths = self._lengths_of(rows, partners)
        if self.labelled is not None and self.labelled_per_batch is not None:
            order = order[~self.labelled[rows[order]]]
        edges = np.linspace(0, len(order), self.steps_per_epoch + 1).round().astype(int)
        if partners is not None:  # else pairs of some lengths would always come in the smaller batches
            edges = np.concatenate([[0], rng.permutation(np.diff(edges)).cumsum()])
        batches = self._by_length(order, edges, lengths)
        if self.labelled_per_batch is not None:
            labelled = self._labelled_of_epoch(epoch, rows)
            edges = np.arange(0, len(labelled) + 1, self.labelled_per_batch)
            pairs = zip(self._by_length(labelled, edges, lengths), batches, strict=True)
            batches = [np.concatenate(pair) for pair in pairs]
        if partners is not None or self.labelled_per_batch is not None:
            # else the first processes would always get the shortest pairs of a batch, or the labelled rows
            batches = [rng.permutation(batch) for batch in batches]
        return [batches[i] for i in rng.permutation(len(batches))]

    def _lengths_of(
        self, rows: Int[np.ndarray, " k"], partners: Int[np.ndarray, " k r"] | None
    ) -> Int[np.ndarray, " k"]:
        """The length of each draw: that of its row, or of a longer partner."""
        own: Int[np.ndarray, " k"] = self.lengths[rows]
        return own if partners is None else np.maximum(own, self.lengths[partners].max(axis=1))

    def _by_length(
        self, order: Int[np.ndarray, " k"], edges: Int[np.ndarray, " s"], longest: Int[np.ndarray, " n"]
    ) -> list[Int[np.ndarray, " b"]]:
        """Draws in batches between `edges`; pools of batches are sorted by length first if that is wanted."""
        if self.group_by_length:
            for first in range(0, self.steps_per_epoch, POOL):
                pool = slice(edges[first], edges[min(first + POOL, self.steps_per_epoch)])
                order[pool] = order[pool][np.argsort(longest[order[pool]], kind="stable")]
        return [order[first:end] for first, end in pairwise(edges)]

    def _labelled_of_epoch(self, epoch: int, drawn: Int[np.ndarray, " m"]) -> Int[np.ndarray, " k"]:
        """The labelled draws of an epoch: all rows in a random order, then in another one, and so on.

        The order goes on from one epoch to the next, so every row is seen equally often up to once. Where
        rows are drawn by class, they are in a random order already.
        """
        assert self.labelled is not None
        if self.classes is not None:
            return np.flatnonzero(self.labelled[drawn])
        rows = np.flatnonzero(self.labelled)
        count = self._labelled_draws
        first, end = epoch * count, (epoch + 1) * count
        passes = range(first // len(rows), -(-end // len(rows)))
        drawn = np.concatenate([generator(self.seed, "labelled", one).permutation(rows) for one in passes])
        begin = first - passes.start * len(rows)
        return drawn[begin : begin + count]

    def _split(
        self, examples: Int[np.ndarray, " b"], own: Int[np.ndarray, " b r"] | None, step: int
    ) -> Iterator[list[MicroBatch]]:
        """Add mixup partners to one global batch and split it into the micro-batches of each process."""
        rng = generator(self.seed, "mix", step)
        no_partners = np.zeros((len(examples), 0))
        partners, shares = no_partners.astype(np.int64), no_partners
        if self.mixing is not None:
            partners = partners_in_batch(rng, examples, self.mixing.ratio) if own is None else own
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
