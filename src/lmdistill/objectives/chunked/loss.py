"""Losses on the outputs of language models straight from their states, without ever holding all the logits.

A vocabulary of 150,000 entries makes the logits the largest tensor of a training step. Here a chunk of
positions at a time goes through both output layers. Values and gradients are computed from that chunk, and it
is forgotten; what stays is one number a position, and the gradients of states and output layer. Nothing is
computed twice: student's logits, teacher's logits, gradient of the states and gradient of the output matrix,
four products in all.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from lmdistill.core.batch import LMHead
from lmdistill.objectives.chunked.backward import ChunkedForwardBackward
from lmdistill.objectives.chunked.output_layer import (
    blocks,
    chunk_rows,
    chunks,
    make_layer,
    precision_of,
    scale_and_cap,
)
from lmdistill.objectives.chunked.terms import LossTerms
from lmdistill.objectives.decoupled import MASKED_LOGIT, log_uncertainty


@dataclass(frozen=True, kw_only=True)
class ChunkedLoss:
    """A loss over n positions: the sum to be differentiated, and what it is made of."""

    total: Float[Tensor, ""]
    """Weighted sum of all terms over all positions; the only one with a gradient."""

    sums: Mapping[str, Float[Tensor, ""]]
    """Weighted sum of each term, without gradient; together they are the total."""

    values: Mapping[str, Float[Tensor, " n"]]
    """Each term at each position, unweighted and without gradient."""

    def losses(self) -> dict[str, Float[Tensor, ""]]:
        """The sums by name, to be added up: the first of them carries the gradient of all."""
        first, *others = self.sums
        carrier = self.sums[first] + (self.total - self.total.detach())
        return {first: carrier, **{name: self.sums[name] for name in others}}


def chunked_losses(
    states: Float[Tensor, "n d"],
    head: LMHead,
    labels: Int[Tensor, " n"],
    *,
    terms: LossTerms,
    teacher_states: Float[Tensor, "n e"] | None = None,
    teacher_head: LMHead | None = None,
    rows: int | None = None,
) -> ChunkedLoss:
    """Weighted sums of losses, differentiable by the student's states and its output layer.

    The gradient is computed on the way, where one is asked for, and the backward pass only scales it; a
    second backward pass through the same graph computes it again. Products run in the precision of the
    states (of autocast, where that is on), everything after them in at least 32 bits, and so is the gradient
    of the output matrix added up. A matrix that is frozen costs no product.

    Args:
        states: Final states of the student at the positions that count; n may be 0.
        head: The student's output layer.
        labels: Targets, in [0, v); read by all terms but the full divergence.
        terms: What is learned, with what weights.
        teacher_states: Final states of the teacher at the same positions; needed by all terms but the labels.
        teacher_head: Its output layer, of the same vocabulary.
        rows: Positions a chunk, >= 1; by default an eighth of them, within 32 and 512, and fewer where two
            chunks of logits would not fit into half a gigabyte. The result does not depend on it, up to
            rounding.

    Returns:
        The total, its parts, and each term at each position.

    Raises:
        MismatchError: The vocabularies differ, or there is no teacher and a term needs one.

    Examples:
        >>> states, head = torch.ones(2, 3, requires_grad=True), LMHead(weight=torch.zeros(5, 3))
        >>> found = chunked_losses(states, head, torch.tensor([0, 4]), terms=LossTerms(label=torch.ones(2)))
        >>> found.values["label"]
        tensor([1.6094, 1.6094])
    """
    sweep = ChunkedForwardBackward(
        terms=terms,
        labels=labels,
        head=head,
        teacher_states=teacher_states,
        teacher_head=teacher_head,
        rows=rows or chunk_rows(len(states), len(head.weight)),
        precision=precision_of(states),
        wanted=tuple(
            torch.is_grad_enabled() and part is not None and part.requires_grad
            for part in (states, head.weight, head.bias)
        ),
    )
    apply = cast(Callable[..., tuple[Tensor, Tensor]], _Fused.apply)
    total, stacked = apply(states, head.weight, head.bias, sweep)
    values = dict(zip(terms.weights, stacked.detach().unbind(), strict=True))
    sums = {name: (weights.to(total.dtype) * values[name]).sum() for name, weights in terms.weights.items()}
    return ChunkedLoss(total=total, sums=sums, values=values)


@torch.no_grad()
def chunked_log_uncertainty(
    states: Float[Tensor, "n d"], head: LMHead, labels: Int[Tensor, " n"], *, rows: int | None = None
) -> Float[Tensor, " n"]:
    """log(1 - p(label)) at each position, chunk by chunk and without a gradient.

    Args:
        states: Final states of the network asked, the teacher where positions are to be sorted.
        head: Its output layer.
        labels: Targets, in [0, v).
        rows: Positions a chunk; see `chunked_losses`.
    """
    found = states.new_empty(len(states), dtype=torch.promote_types(states.dtype, torch.float32))
    for at, logits in _logits_of(states, head, rows):
        place = labels[at].unsqueeze(-1)
        target = logits.gather(-1, place)
        others = logits.scatter_(-1, place, MASKED_LOGIT).logsumexp(-1, keepdim=True)  # in memory of our own
        found[at] = log_uncertainty(torch.cat([target, others], -1))
    return found


@torch.no_grad()
def token_statistics(
    states: Float[Tensor, "n d"], head: LMHead, labels: Int[Tensor, " n"], *, rows: int | None = None
) -> dict[str, Tensor]:
    """What an evaluation wants to know about each position, chunk by chunk and without a gradient.

    Args:
        states: Final states of a network.
        head: Its output layer.
        labels: Targets, in [0, v).
        rows: Positions a chunk; see `chunked_losses`.

    Returns:
        Four tensors of n: "log_prob" of the label in nats, "top", the most probable entry (the first, where
        several are), its probability "top_prob", and "correct", whether it is the label.
    """
    log_prob = states.new_empty(len(states), dtype=torch.promote_types(states.dtype, torch.float32))
    top_prob, top = torch.empty_like(log_prob), torch.empty_like(labels)
    for at, logits in _logits_of(states, head, rows):
        found = logits.log_softmax(-1)
        log_prob[at] = found.gather(-1, labels[at].unsqueeze(-1)).squeeze(-1)
        best, top[at] = found.max(-1)
        top_prob[at] = best.exp()
    return {"log_prob": log_prob, "top": top, "top_prob": top_prob, "correct": top == labels}


class _Fused(torch.autograd.Function):
    """Loss and gradient in one sweep; the backward pass hands the gradient out, scaled."""

    @staticmethod
    def forward(
        ctx: Any,
        states: Float[Tensor, "n d"],
        weight: Float[Tensor, "v d"],
        bias: Float[Tensor, " v"] | None,
        sweep: ChunkedForwardBackward,
    ) -> tuple[Tensor, Tensor]:
        values, ctx.gradients = sweep(states, weight, bias)
        ctx.sweep = sweep
        ctx.save_for_backward(states, weight, bias)
        ctx.mark_non_differentiable(values)
        weights = torch.stack([one.to(values.dtype) for one in sweep.terms.weights.values()])
        return (weights * values).sum(), values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None:  # the first backward pass gave them away, so that it could scale them in place
            _, gradients = ctx.sweep(*ctx.saved_tensors)
        if scale.device.type != "cpu" or scale != 1:  # an accelerator would have to be waited for
            gradients = tuple(part if part is None else part.mul_(scale) for part in gradients)
        return (*gradients, None)  # autograd rounds them to the precision of what they belong to


def _logits_of(
    states: Float[Tensor, "n d"], head: LMHead, rows: int | None
) -> Iterator[tuple[slice, Float[Tensor, "r v"]]]:
    """Logits of a few positions at a time, and which they are."""
    rows = rows or chunk_rows(len(states), len(head.weight))
    layer = make_layer(states, head, rows=rows, precision=precision_of(states))
    for at in chunks(len(states), rows):
        products = layer.products(at)
        for block in blocks(products):
            yield slice(at.start + block.start, at.start + block.stop), scale_and_cap(products[block], head)
