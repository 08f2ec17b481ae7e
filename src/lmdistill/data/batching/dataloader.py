"""The data loader of training: a batch sampler and a collator as a torch `DataLoader`."""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from torch.utils.data import DataLoader

from lmdistill.core.batch import Batch
from lmdistill.data.batching.batch_sampler import BatchSampler, MicroBatch


@runtime_checkable
class BatchCollator(Protocol):
    """Loads and pads the rows of a micro-batch: `Collator` for classifiers, `LanguageCollator` for LMs."""

    def __getitem__(self, micro_batch: MicroBatch) -> Batch:
        """The rows of `micro_batch` as padded tensors."""
        ...


@dataclass(frozen=True, kw_only=True)
class BatchLoader:
    """The batches of a training run, from any step on."""

    sampler: BatchSampler
    """Which rows form which batch."""

    collator: BatchCollator
    """Turns rows into padded batches."""

    workers: int = 0
    """Processes that load batches in advance, >= 0; 0 loads them in the training process."""

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.sampler.total_steps

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps per epoch."""
        return self.sampler.steps_per_epoch

    def loader(self, *, start: int, processes: int, process: int) -> DataLoader[list[Batch]]:
        """The data loader of one process; it yields a list of micro-batches for each step.

        The sampler itself divides the batches among the processes, so no distributed sampler is needed. The
        loader has its own random generator and does not change the state of the global one.

        Args:
            start: First step, >= 0.
            processes: Number of processes, >= 1.
            process: Rank of this process, from 0.
        """
        return DataLoader(
            self.collator,  # type: ignore[arg-type]  # indexed by micro-batches, not by Dataset's integers
            batch_sampler=replace(self.sampler, start=start, processes=processes, process=process),
            collate_fn=list,
            num_workers=self.workers,
            generator=torch.Generator().manual_seed(0),
        )

    def regenerate(self, window: list[Batch], student: object, step: int) -> list[Batch]:
        """The batches unchanged, since they do not depend on the student."""
        return window
