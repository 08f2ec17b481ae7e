"""The output layer applied to chunks of positions, and its backward pass."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from lmdistill.core.batch import LMHead

FEWEST_ROWS, MOST_ROWS = 32, 512
"""Limits of the positions per chunk: smaller products are slow, larger ones are hardly faster."""

CHUNK_BYTES = 256 * 2**20
"""Maximum size in bytes of the logits of one network for one chunk."""

BLOCK_ENTRIES = 2**17
"""Number of logits that a CPU processes at once after the product, so that they stay in its cache."""

SLICES = 8
"""Number of vocabulary slices in which half-precision gradients of the output matrix are accumulated."""


def chunk_rows(positions: int, vocabulary: int, *, bytes_each: int = 4) -> int:
    """Default number of positions per chunk, >= 1: an eighth of all, within limits of speed and memory.

    Args:
        positions: Number of scored positions, >= 0.
        vocabulary: Entries of the output layer, >= 1.
        bytes_each: Bytes per logit, >= 1.

    Examples:
        >>> chunk_rows(2048, 50257), chunk_rows(100, 50257), chunk_rows(10**6, 10**6)
        (256, 32, 67)
    """
    fitting = CHUNK_BYTES // (vocabulary * bytes_each)
    return max(1, min(max(positions // 8, FEWEST_ROWS), MOST_ROWS, fitting))


def precision_of(states: Float[Tensor, "n d"]) -> torch.dtype:
    """Data type of the matrix products: that of autocast if it is on, otherwise that of the states."""
    device = states.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else states.dtype


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Hidden states, the output layer, and a buffer for the products of one chunk."""

    states: Float[Tensor, "n d"]
    """Final hidden states of a network."""

    head: LMHead
    """Its output layer, in the data type of the products."""

    memory: Float[Tensor, "r v"]
    """Buffer for the products of a chunk; each chunk overwrites those of the last."""

    def chunk(self, at: slice) -> Float[Tensor, "c d"]:
        """Hidden states of the positions `at`, in the data type of the products."""
        return self.states[at].to(self.memory.dtype)

    def products(self, at: slice) -> Float[Tensor, "c v"]:
        """Hidden states times output matrix, plus bias, at the positions `at`; valid until the next call."""
        states, weight, bias = self.chunk(at), self.head.weight.t(), self.head.bias
        out = self.memory[: len(states)]
        return (
            torch.mm(states, weight, out=out) if bias is None else torch.addmm(bias, states, weight, out=out)
        )


def make_layer(states: Float[Tensor, "n d"], head: LMHead, *, rows: int, precision: torch.dtype) -> Layer:
    """Create a layer with a buffer for `rows` positions; `precision` is the data type of its products."""
    bias = None if head.bias is None else head.bias.to(precision)
    head = replace(head, weight=head.weight.to(precision), bias=bias)
    memory = head.weight.new_empty((min(rows, len(states)), len(head.weight)))
    return Layer(states=states, head=head, memory=memory)


def chunks(positions: int, rows: int) -> Iterator[slice]:
    """Slices of `rows` positions that cover all positions."""
    for start in range(0, positions, rows):
        yield slice(start, min(start + rows, positions))


def blocks(products: Float[Tensor, "c v"]) -> Iterator[slice]:
    """Slices of the rows to process at once: a few rows on a CPU, all rows on an accelerator."""
    count, width = products.shape
    return chunks(count, max(1, BLOCK_ENTRIES // width) if products.device.type == "cpu" else max(1, count))


def scale_and_cap(products: Float[Tensor, "r v"], head: LMHead) -> Float[Tensor, "r v"]:
    """Logits in at least float32 from the products of the output layer, which are not changed."""
    logits = products.to(torch.promote_types(products.dtype, torch.float32))
    if head.scale != 1:
        logits = logits * head.scale
    return logits if head.softcap is None else (logits / head.softcap).tanh_().mul_(head.softcap)


def scale_and_cap_backward(
    gradient: Float[Tensor, "r v"], logits: Float[Tensor, "r v"], head: LMHead
) -> Float[Tensor, "r v"]:
    """Turn a gradient by logits into one by products, in place."""
    if head.softcap is not None:
        gradient.mul_((logits / head.softcap).square_().neg_().add_(1))
    return gradient if head.scale == 1 else gradient.mul_(head.scale)


def add_outer(
    total: Float[Tensor, "v d"], gradient: Float[Tensor, "c v"], states: Float[Tensor, "c d"]
) -> None:
    """Add the gradient of one chunk to `total`, the gradient of the output matrix, in place.

    Half-precision products are rounded once per chunk and accumulated in the data type of `total`.
    """
    if total.dtype == gradient.dtype:
        total.addmm_(gradient.t(), states)
        return
    for part, columns in zip(total.chunk(SLICES), gradient.chunk(SLICES, 1), strict=True):
        part += columns.t() @ states
