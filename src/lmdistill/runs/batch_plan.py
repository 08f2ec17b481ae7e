"""The batches of a run, from its training settings."""

import numpy as np
from jaxtyping import Int

from lmdistill.core.protocols import Method
from lmdistill.data.batching.batch_sampler import BatchSampler
from lmdistill.engine.training_settings import Training


def plan(lengths: Int[np.ndarray, " n"], method: Method, training: Training) -> BatchSampler:
    """The batch sampler of a run.

    Args:
        lengths: Tokens of each training example.
        method: Says whether examples are mixed, and how.
        training: Batch size, epochs, accumulation, grouping by length and seed.
    """
    return BatchSampler(
        lengths=lengths,
        batch_size=training.batch_size,
        epochs=training.passes,
        seed=training.seed,
        accumulate=training.accumulate,
        mixing=method.mixing,
        group_by_length=training.group_by_length,
    )
