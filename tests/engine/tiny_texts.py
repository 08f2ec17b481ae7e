"""A small corpus of random passages, and runs of language models of a few steps on it."""

import numpy as np
from datasets import Dataset

from lmdistill.data.batching.batch_sampler import BatchSampler
from lmdistill.data.batching.dataloader import BatchLoader
from lmdistill.data.language.collator import LanguageCollator
from tests.engine.corpus import Run, course
from tests.tiny_causal import VOCABULARY, tiny_language


def passages(count=30, seed=0):
    """Passages of 4 to 14 random tokens, some after a prompt."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(4, 15, count)
    return Dataset.from_dict(
        {
            "input_ids": [rng.integers(4, VOCABULARY, n).tolist() for n in lengths],
            "start": [int(rng.integers(0, n - 2)) for n in lengths],
            "length": lengths.tolist(),
        }
    )


def language_feed(method, training, data=None):
    """The batches of a run."""
    data = passages() if data is None else data
    plan = BatchSampler(
        lengths=np.asarray(data["length"]), batch_size=training.batch_size, epochs=training.epochs,
        seed=training.seed, accumulate=training.accumulate, mixing=method.mixing,
        group_by_length=training.group_by_length,
    )  # fmt: skip
    return BatchLoader(sampler=plan, collator=LanguageCollator(rows=data, padding=0))


def language_run(method, folder, training=None, *, student=None, batches=None, **more):
    """A run that was watched."""
    training = training or course()
    return Run(
        method, folder, training, student=student or tiny_language(layers=1, seed=2),
        teacher=tiny_language(layers=2, seed=1), batches=batches or language_feed(method, training), **more,
    )  # fmt: skip
