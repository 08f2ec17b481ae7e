"""One place for randomness: every stream is a function of names and numbers, never of what ran before."""

import hashlib
import random

import numpy as np
import torch


def derive(seed: int, *names: int | str) -> int:
    """A 63-bit seed for the stream called `names` of run `seed`; the same on every machine and process.

    Examples:
        >>> derive(0, "epoch", 1) == derive(0, "epoch", 1)
        True
        >>> derive(0, "epoch", 1) == derive(0, "epoch", 2)
        False
    """
    text = "/".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *names: int | str) -> np.random.Generator:
    """A numpy generator for the stream called `names` of run `seed`."""
    return np.random.default_rng(derive(seed, *names))


def seed_everything(seed: int, *names: int | str) -> None:
    """Seed Python, numpy and torch (all devices) for the stream called `names`.

    Called before a model is made and before each optimizer step, so that a run which was
    stopped and continued draws the same dropout masks as one which was not.
    """
    value = derive(seed, *names)
    random.seed(value)
    np.random.seed(value % 2**32)  # libraries we call may read the global state
    torch.manual_seed(value)
