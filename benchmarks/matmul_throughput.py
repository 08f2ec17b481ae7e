"""How fast the machine multiplies matrices, and how much of it a training step asks for."""

import time
from collections.abc import Sequence
from functools import cache

import torch

from lmdistill.models.classifier import Network
from lmdistill.models.model_stats import flops

SIDES = (1024, 2048)
"""Sides of the square matrices that are large enough to keep the machine busy."""


def matrix_rate(*, sides: Sequence[int] = SIDES, seconds: float = 0.4) -> float:
    """Best rate of `torch.mm` on square float32 matrices, in operations a second.

    Args:
        sides: Sides of the matrices that are tried.
        seconds: Time for each of them, > 0; every single product counts, the fastest wins.
    """
    best = 0.0
    for side in sides:
        left, right = torch.randn(side, side), torch.randn(side, side)
        out = torch.mm(left, right)
        end = time.perf_counter() + seconds
        while True:
            start = time.perf_counter()
            torch.mm(left, right, out=out)
            now = time.perf_counter()
            best = max(best, 2 * side**3 / (now - start))
            if now > end:
                break
    return best


def step_flops(student: Network, teacher: Network, *, rows: int, tokens: int) -> int:
    """Operations of one MixKD step with one mixed example an original.

    Args:
        student: Reads originals and mixed examples, forward and backward (three times a forward pass).
        teacher: Reads the mixed ones, forward.
        rows: Originals.
        tokens: Positions a row, padding included.
    """
    return rows * (2 * 3 * _forward(student, tokens) + _forward(teacher, tokens))


@cache
def _forward(network: Network, tokens: int) -> int:
    """One example forward; counted once for each length."""
    return flops(network, tokens)
