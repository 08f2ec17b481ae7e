"""Plans and collators as torch data loaders."""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from torch.utils.data import DataLoader

from lmdistill.core.batch import Batch
from lmdistill.data.batching.batch_sampler import BatchSampler, MicroBatch


@runtime_checkable
class BatchCollator(Protocol):
    """Makes the batch of a draw: `Collator` for classes and scores, `LanguageCollator` for next tokens."""

    def __getitem__(self, draw: MicroBatch) -> Batch:
        """The rows of one draw as a batch."""
        ...


@dataclass(frozen=True, kw_only=True)
class BatchLoader:
    """The batches of a run, from any step on."""

    sampler: BatchSampler
    """Which rows meet in which step."""

    collator: BatchCollator
    """How rows become batches."""

    workers: int = 0
    """Processes that load ahead, >= 0."""

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.sampler.total_steps

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of one pass over the training set."""
        return self.sampler.steps_per_epoch

    def loader(self, *, start: int, processes: int, process: int) -> DataLoader[list[Batch]]:
        """A list of micro-batches a step from `start` on: what one of the processes works off.

        The plan deals the batches out, so no sampler has to be wrapped for that. The loader has a random
        generator of its own and never touches the global one.
        """
        return DataLoader(
            self.collator,  # type: ignore[arg-type]  # a map from draws, which torch's Dataset[int] cannot say
            batch_sampler=replace(self.sampler, start=start, processes=processes, process=process),
            collate_fn=list,
            num_workers=self.workers,
            generator=torch.Generator().manual_seed(0),
        )

    def regenerate(self, window: list[Batch], student: object, step: int) -> list[Batch]:
        """The batches as they are: what they hold does not depend on the student."""
        return window
