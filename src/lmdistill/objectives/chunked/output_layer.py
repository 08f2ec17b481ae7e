"""A few positions at a time through an output layer, and back."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from lmdistill.core.batch import LMHead

FEWEST_ROWS, MOST_ROWS = 32, 512
"""Positions a chunk, unless memory asks for fewer: products of fewer rows are slow, of more hardly faster."""

CHUNK_BYTES = 256 * 2**20
"""The most that one network's logits of a chunk may take."""

BLOCK_ENTRIES = 2**17
"""Logits that a processor handles at once after the products, so that they stay in its cache."""

SLICES = 8
"""Parts of the vocabulary in which the gradient of a half-precision output matrix is added up."""


def chunk_rows(positions: int, vocabulary: int, *, bytes_each: int = 4) -> int:
    """Positions a chunk, >= 1: an eighth of them, within limits of speed and memory.

    Examples:
        >>> chunk_rows(2048, 50257), chunk_rows(100, 50257), chunk_rows(10**6, 10**6)
        (256, 32, 67)
    """
    fitting = CHUNK_BYTES // (vocabulary * bytes_each)
    return max(1, min(max(positions // 8, FEWEST_ROWS), MOST_ROWS, fitting))


def precision_of(states: Float[Tensor, "n d"]) -> torch.dtype:
    """The arithmetic of the output layer's products: autocast's where it is on, else that of the states."""
    kind = states.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else states.dtype


@dataclass(frozen=True, kw_only=True)
class Layer:
    """States, the output layer above them, and memory for one chunk of their products."""

    states: Float[Tensor, "n d"]
    """Final states of a network."""

    head: LMHead
    """Its output layer, in the precision of the products."""

    memory: Float[Tensor, "r v"]
    """Where the products of a chunk are written, over those of the last."""

    def chunk(self, at: slice) -> Float[Tensor, "c d"]:
        """The states of a chunk, in the precision of the products."""
        return self.states[at].to(self.memory.dtype)

    def products(self, at: slice) -> Float[Tensor, "c v"]:
        """Their products with the output matrix, bias included; valid until the next call."""
        states, weight, bias = self.chunk(at), self.head.weight.t(), self.head.bias
        out = self.memory[: len(states)]
        return (
            torch.mm(states, weight, out=out) if bias is None else torch.addmm(bias, states, weight, out=out)
        )


def make_layer(states: Float[Tensor, "n d"], head: LMHead, *, rows: int, precision: torch.dtype) -> Layer:
    """A layer with memory for chunks of `rows` positions."""
    bias = None if head.bias is None else head.bias.to(precision)
    head = replace(head, weight=head.weight.to(precision), bias=bias)
    memory = head.weight.new_empty((min(rows, len(states)), len(head.weight)))
    return Layer(states=states, head=head, memory=memory)


def chunks(positions: int, rows: int) -> Iterator[slice]:
    """All positions, `rows` at a time."""
    for start in range(0, positions, rows):
        yield slice(start, min(start + rows, positions))


def blocks(products: Float[Tensor, "c v"]) -> Iterator[slice]:
    """Rows to be handled at once: few on a processor, all of them on an accelerator."""
    count, width = products.shape
    return chunks(count, max(1, BLOCK_ENTRIES // width) if products.device.type == "cpu" else max(1, count))


def scale_and_cap(products: Float[Tensor, "r v"], head: LMHead) -> Float[Tensor, "r v"]:
    """Products to logits, in at least 32 bits; the products stay as they are."""
    logits = products.to(torch.promote_types(products.dtype, torch.float32))
    if head.scale != 1:
        logits = logits * head.scale
    return logits if head.softcap is None else (logits / head.softcap).tanh_().mul_(head.softcap)


def scale_and_cap_backward(
    gradient: Float[Tensor, "r v"], logits: Float[Tensor, "r v"], head: LMHead
) -> Float[Tensor, "r v"]:
    """Gradient by the logits to gradient by the products, in its own memory."""
    if head.softcap is not None:
        gradient.mul_((logits / head.softcap).square_().neg_().add_(1))
    return gradient if head.scale == 1 else gradient.mul_(head.scale)


def add_outer(
    total: Float[Tensor, "v d"], gradient: Float[Tensor, "c v"], states: Float[Tensor, "c d"]
) -> None:
    """Add a chunk's part to the gradient of the output matrix.

    Half-precision products are rounded once a chunk, and added in the precision of the total.
    """
    if total.dtype == gradient.dtype:
        total.addmm_(gradient.t(), states)
        return
    for part, columns in zip(total.chunk(SLICES), gradient.chunk(SLICES, 1), strict=True):
        part += columns.t() @ states
