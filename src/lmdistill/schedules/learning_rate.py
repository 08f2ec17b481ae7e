"""The learning rate over a run: step to multiplier."""

import math
from collections.abc import Callable
from types import MappingProxyType

Shape = Callable[[float], float]


def _linear(progress: float) -> float:
    """From 1 to 0 on a straight line."""
    return 1.0 - progress


def _cosine(progress: float) -> float:
    """From 1 to 0 on half a cosine."""
    return 0.5 * (1.0 + math.cos(math.pi * progress))


def _constant(progress: float) -> float:
    """Always 1."""
    return 1.0


SHAPES: MappingProxyType[str, Shape] = MappingProxyType(
    {"constant": _constant, "cosine": _cosine, "linear": _linear}
)
"""How the rate falls after the warm-up, by name."""


def lr_multiplier(step: int, *, total: int, warmup: float, shape: str) -> float:
    """Multiplier of the learning rate at a step.

    The warm-up rises linearly and reaches 1 at its last step; afterwards the shape falls from 1
    towards 0. No step has multiplier 0, so none is wasted (common implementations begin with one that is).

    Args:
        step: Optimizer step, from 0.
        total: Steps of the whole run, >= 1.
        warmup: Share of the steps that warm up, in [0, 1).
        shape: A key of `SHAPES`.

    Returns:
        A number in (0, 1].

    Examples:
        >>> [round(rate(step, total=4, warmup=0.5, shape="linear"), 2) for step in range(4)]
        [0.5, 1.0, 1.0, 0.5]
    """
    rising = math.ceil(total * warmup)
    if step < rising:
        return (step + 1) / rising
    return SHAPES[shape]((step - rising) / max(1, total - rising))
