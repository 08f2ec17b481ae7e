"""Random seeds.

The seed of each random stream is computed from the seed of the run and the name of the stream, never from
earlier draws, so that a run can be resumed at any step.
"""

import hashlib
import random

import numpy as np


def derive(seed: int, *names: int | str) -> int:
    """A 63-bit seed for the random stream `names` of a run with seed `seed`.

    It is the same on every machine and in every process.

    Examples:
        >>> derive(0, "epoch", 1) == derive(0, "epoch", 1)
        True
        >>> derive(0, "epoch", 1) == derive(0, "epoch", 2)
        False
    """
    text = "/".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *names: int | str) -> np.random.Generator:
    """A NumPy generator for the random stream `names` of a run with seed `seed`."""
    return np.random.default_rng(derive(seed, *names))


def seed_everything(seed: int, *names: int | str) -> None:
    """Seed Python, NumPy and torch (all devices) for the random stream `names`.

    Called before a model is created and before each optimizer step, so that a resumed run draws the same
    dropout masks as an uninterrupted one.
    """
    import torch  # streams of NumPy need none

    value = derive(seed, *names)
    random.seed(value)
    np.random.seed(value % 2**32)  # libraries we call may read the global state
    torch.manual_seed(value)
