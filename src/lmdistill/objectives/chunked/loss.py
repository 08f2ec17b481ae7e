"""Losses of language models computed from hidden states, without ever storing all logits.

With a vocabulary of 150,000 entries the logits are the largest tensor of a training step. Here the output
layers of student and teacher are applied to a chunk of positions at a time. The losses and gradients of the
chunk are computed at once, and its logits are discarded. Stored are one value per term and position, and the
gradients of hidden states and output layer. Nothing is computed twice: there are four matrix products, for
the student's logits, the teacher's logits, the gradient of the states and the gradient of the output matrix.
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
from lmdistill.objectives.decoupled import log_uncertainty
from lmdistill.objectives.reduction import MASKED_LOGIT


@dataclass(frozen=True, kw_only=True)
class ChunkedLoss:
    """A weighted sum of loss terms over n positions, and its parts."""

    total: Float[Tensor, ""]
    """Weighted sum of all terms over all positions; the only differentiable field."""

    sums: Mapping[str, Float[Tensor, ""]]
    """Weighted sum of each term over all positions, without gradient; they add up to `total`."""

    values: Mapping[str, Float[Tensor, " n"]]
    """Unweighted value of each term at each position, without gradient."""

    def losses(self) -> dict[str, Float[Tensor, ""]]:
        """The sum of each term by name; the first one carries the gradient of all terms."""
        first, *others = self.sums
        with_gradient = self.sums[first] + (self.total - self.total.detach())
        return {first: with_gradient, **{name: self.sums[name] for name in others}}


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
    """Weighted sum of loss terms, differentiable by the student's hidden states and its output layer.

    Gradients are computed together with the loss, and the backward pass only scales them; a second backward
    pass through the same graph computes them again. Matrix products use the data type of the states (or of
    autocast, if it is on). Everything else, including the sum of the gradients of the output matrix, uses at
    least float32. No gradient is computed for a frozen output matrix.

    Args:
        states: Final hidden states of the student at the scored positions; n may be 0.
        head: The student's output layer.
        labels: Target token ids, in [0, v); used by all terms but `whole`.
        terms: The loss terms and their weights.
        teacher_states: Final hidden states of the teacher at the same positions; needed by all terms but
            `label`.
        teacher_head: The teacher's output layer, with the same vocabulary.
        rows: Positions per chunk, >= 1; by default an eighth of all, at least 32 and at most 512, and fewer
            if the logits of the two networks for one chunk would exceed 512 MiB. Apart from rounding, the
            result does not depend on it.

    Returns:
        The total, the sum of each term, and the value of each term at each position.

    Raises:
        MismatchError: If the vocabularies differ, or a term needs a teacher and there is none.

    Examples:
        >>> states, head = torch.ones(2, 3, requires_grad=True), LMHead(weight=torch.zeros(5, 3))
        >>> loss = chunked_losses(states, head, torch.tensor([0, 4]), terms=LossTerms(label=torch.ones(2)))
        >>> loss.values["label"]
        tensor([1.6094, 1.6094])
    """
    forward_backward = ChunkedForwardBackward(
        terms=terms,
        labels=labels,
        head=head,
        teacher_states=teacher_states,
        teacher_head=teacher_head,
        rows=rows or chunk_rows(len(states), len(head.weight)),
        precision=precision_of(states),
        needs_grad=tuple(
            torch.is_grad_enabled() and tensor is not None and tensor.requires_grad
            for tensor in (states, head.weight, head.bias)
        ),
    )
    apply = cast(Callable[..., tuple[Tensor, Tensor]], _FusedLoss.apply)
    total, stacked = apply(states, head.weight, head.bias, forward_backward)
    values = dict(zip(terms.weights, stacked.detach().unbind(), strict=True))
    sums = {name: (weights.to(total.dtype) * values[name]).sum() for name, weights in terms.weights.items()}
    return ChunkedLoss(total=total, sums=sums, values=values)


@torch.no_grad()
def chunked_log_uncertainty(
    states: Float[Tensor, "n d"], head: LMHead, labels: Int[Tensor, " n"], *, rows: int | None = None
) -> Float[Tensor, " n"]:
    """log(1 - p(label)) at each position, in nats, computed in chunks and without gradient.

    Args:
        states: Final hidden states of a network; for ATKD, of the teacher.
        head: Its output layer.
        labels: Target token ids, in [0, v).
        rows: Positions per chunk; see `chunked_losses`.
    """
    result = states.new_empty(len(states), dtype=torch.promote_types(states.dtype, torch.float32))
    for at, logits in _chunks_of_logits(states, head, rows):
        index = labels[at].unsqueeze(-1)
        target = logits.gather(-1, index)
        # In place: this chunk of logits is not used again.
        others = logits.scatter_(-1, index, MASKED_LOGIT).logsumexp(-1, keepdim=True)
        result[at] = log_uncertainty(torch.cat([target, others], -1))
    return result


@torch.no_grad()
def token_statistics(
    states: Float[Tensor, "n d"], head: LMHead, labels: Int[Tensor, " n"], *, rows: int | None = None
) -> dict[str, Tensor]:
    """Predictions of a network at each position, for evaluation, computed in chunks and without gradient.

    Args:
        states: Final hidden states of a network.
        head: Its output layer.
        labels: Target token ids, in [0, v).
        rows: Positions per chunk; see `chunked_losses`.

    Returns:
        Four tensors of shape (n,): "log_prob", the log-probability of the label in nats; "top", the most
        probable token (the first of several); "top_prob", its probability; "correct", whether it is the
        label.
    """
    log_prob = states.new_empty(len(states), dtype=torch.promote_types(states.dtype, torch.float32))
    top_prob, top = torch.empty_like(log_prob), torch.empty_like(labels)
    for at, logits in _chunks_of_logits(states, head, rows):
        log_probs = logits.log_softmax(-1)
        log_prob[at] = log_probs.gather(-1, labels[at].unsqueeze(-1)).squeeze(-1)
        top_log_prob, top[at] = log_probs.max(-1)
        top_prob[at] = top_log_prob.exp()
    return {"log_prob": log_prob, "top": top, "top_prob": top_prob, "correct": top == labels}


class _FusedLoss(torch.autograd.Function):
    """Computes loss and gradients in the forward pass; the backward pass scales and returns the gradients."""

    @staticmethod
    def forward(
        ctx: Any,
        states: Float[Tensor, "n d"],
        weight: Float[Tensor, "v d"],
        bias: Float[Tensor, " v"] | None,
        forward_backward: ChunkedForwardBackward,
    ) -> tuple[Tensor, Tensor]:
        values, ctx.gradients = forward_backward(states, weight, bias)
        ctx.forward_backward = forward_backward
        ctx.save_for_backward(states, weight, bias)
        ctx.mark_non_differentiable(values)
        weights = torch.stack([w.to(values.dtype) for w in forward_backward.terms.weights.values()])
        return (weights * values).sum(), values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None:  # an earlier backward pass has scaled them in place and returned them
            _, gradients = ctx.forward_backward(*ctx.saved_tensors)
        if scale.device.type != "cpu" or scale != 1:  # reading `scale` would synchronise with an accelerator
            gradients = tuple(tensor if tensor is None else tensor.mul_(scale) for tensor in gradients)
        return (*gradients, None)  # autograd casts them to the data types of the inputs


def _chunks_of_logits(
    states: Float[Tensor, "n d"], head: LMHead, rows: int | None
) -> Iterator[tuple[slice, Float[Tensor, "r v"]]]:
    """Yield slices of positions, a few positions each, and their logits."""
    rows = rows or chunk_rows(len(states), len(head.weight))
    layer = make_layer(states, head, rows=rows, precision=precision_of(states))
    for at in chunks(len(states), rows):
        products = layer.products(at)
        for block in blocks(products):
            yield slice(at.start + block.start, at.start + block.stop), scale_and_cap(products[block], head)
