"""Log-probabilities and masked sums, which every loss uses."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

MASKED_LOGIT = -1e30
"""Logit of an entry that is left out: finite, so that nothing becomes NaN; its probability is 0."""


def at_least_float32(values: Float[Tensor, "*p v"]) -> Float[Tensor, "*p v"]:
    """Cast half-precision values to float32; float32 and float64 stay as they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def log_probs(logits: Float[Tensor, "*p v"]) -> Float[Tensor, "*p v"]:
    """Log-probabilities over the last axis, in nats and in at least float32."""
    return at_least_float32(logits).log_softmax(-1)


def masked_sum(values: Float[Tensor, "*p"], scored: Bool[Tensor, "*p"]) -> Float[Tensor, ""]:
    """Sum of `values` where `scored` is true; other values do not enter, not even NaN.

    Losses are only summed here. The engine divides the sums once per optimizer step.

    Examples:
        >>> masked_sum(torch.tensor([1.0, float("nan")]), torch.tensor([True, False]))
        tensor(1.)
    """
    return values.masked_fill(~scored, 0.0).sum()
