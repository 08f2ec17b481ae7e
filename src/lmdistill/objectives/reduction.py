"""The two steps every objective shares: logits to log-probabilities, positions to one number."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def at_least_float32(values: Float[Tensor, "*p v"]) -> Float[Tensor, "*p v"]:
    """`values` in at least 32 bits, so that half-precision logits lose nothing; float64 stays."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def log_probs(logits: Float[Tensor, "*p v"]) -> Float[Tensor, "*p v"]:
    """Logits to log-probabilities over the last axis, in nats, in at least 32 bits."""
    return at_least_float32(logits).log_softmax(-1)


def masked_sum(values: Float[Tensor, "*p"], scored: Bool[Tensor, "*p"]) -> Float[Tensor, ""]:
    """Sum `values` where `scored`; what is not scored cannot leak in, not even NaN.

    The only reduction in the package: the engine divides, once.

    Examples:
        >>> masked_sum(torch.tensor([1.0, float("nan")]), torch.tensor([True, False]))
        tensor(1.)
    """
    return values.masked_fill(~scored, 0.0).sum()
