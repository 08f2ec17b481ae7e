"""The batches of a run, from its training settings."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Int

from lmdistill.core.protocols import Method
from lmdistill.data.batching.batch_sampler import BatchSampler
from lmdistill.engine.training_settings import Training


def plan(
    lengths: Int[np.ndarray, " n"],
    method: Method,
    training: Training,
    *,
    labelled: Bool[np.ndarray, " n"] | None = None,
    labelled_per_batch: int | None = None,
    classes: Int[np.ndarray, " n"] | None = None,
) -> BatchSampler:
    """The batch sampler of a run.

    Args:
        lengths: Tokens of each training example.
        method: Says whether examples are mixed, and how.
        training: Batch size, epochs, fewest and most steps, accumulation, grouping by length and seed.
        labelled: Whether each training example has a gold label; None if all have.
        labelled_per_batch: Labelled examples in each batch; None shuffles them with the others.
        classes: Class of each training example, -1 without a label, for sampling by class; None for others.
    """
    sampler = BatchSampler(
        lengths=lengths,
        batch_size=training.batch_size,
        epochs=training.passes,
        seed=training.seed,
        accumulate=training.accumulate,
        mixing=method.mixing,
        group_by_length=training.group_by_length,
        labelled=labelled,
        labelled_per_batch=labelled_per_batch,
        classes=classes if training.sampling == "by_class" else None,
    )
    fewest = -(-training.min_steps // sampler.steps_per_epoch)
    return replace(sampler, epochs=max(training.passes, fewest), most=training.max_steps)
