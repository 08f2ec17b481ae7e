"""Which rows meet in which step, as a recipe's settings have it."""

import numpy as np
from jaxtyping import Int

from lmdistill.core.protocols import Method
from lmdistill.data.batching.batch_sampler import BatchSampler
from lmdistill.engine.training_settings import Training


def plan(lengths: Int[np.ndarray, " n"], method: Method, training: Training) -> BatchSampler:
    """Which rows meet in which step of a run."""
    return BatchSampler(
        lengths=lengths,
        batch_size=training.batch_size,
        epochs=training.epochs,
        seed=training.seed,
        accumulate=training.accumulate,
        mixing=method.mixing,
        group_by_length=training.group_by_length,
    )
