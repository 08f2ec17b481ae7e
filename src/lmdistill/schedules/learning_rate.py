"""Learning-rate schedules: warmup and decay."""

import math
from collections.abc import Callable
from types import MappingProxyType

Shape = Callable[[float], float]
"""A decay: progress after the warmup, in [0, 1), to a multiplier of the learning rate."""


def _linear(progress: float) -> float:
    """Linear decay from 1 to 0."""
    return 1.0 - progress


def _cosine(progress: float) -> float:
    """Cosine decay from 1 to 0."""
    return 0.5 * (1.0 + math.cos(math.pi * progress))


def _constant(progress: float) -> float:
    """The rate stays at its peak: a multiplier of 1 at every progress in [0, 1]."""
    return 1.0


SHAPES: MappingProxyType[str, Shape] = MappingProxyType(
    {"constant": _constant, "cosine": _cosine, "linear": _linear}
)
"""Decay after the warmup by name; a function of the progress in [0, 1)."""


def lr_multiplier(step: int, *, total: int, warmup: float, shape: str) -> float:
    """Multiplier of the learning rate at a step.

    It rises linearly during the warmup and is 1 at the last step of the warmup; then it decays from 1 towards
    0. It is never 0, unlike in common implementations, whose first step has a learning rate of 0.

    Args:
        step: Optimizer step, from 0.
        total: Optimizer steps of the whole run, >= 1.
        warmup: Fraction of the steps that are warmup, in [0, 1).
        shape: Decay after the warmup, a key of `SHAPES`.

    Returns:
        A number in (0, 1].

    Examples:
        >>> [round(lr_multiplier(step, total=4, warmup=0.5, shape="linear"), 2) for step in range(4)]
        [0.5, 1.0, 1.0, 0.5]
    """
    warmup_steps = math.ceil(total * warmup)
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    return SHAPES[shape]((step - warmup_steps) / max(1, total - warmup_steps))
