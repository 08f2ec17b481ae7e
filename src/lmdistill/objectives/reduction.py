"""Log-probabilities and masked sums, which every loss uses."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lmdistill.core.batch import Batch, KnownPositions, MixedExamples

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


def labelled_sum(values: Float[Tensor, "*p"], part: Batch | MixedExamples) -> Float[Tensor, ""]:
    """Sum of the losses with gold labels over the scored positions that have one, times their weight.

    Dividing it by the number of scored positions of the step, as the engine does for all terms, gives the
    mean over the labelled positions of the step. Where all have labels, it is `masked_sum`.

    With class weights this is the mean of w(y) times the loss, as scikit-learn's `class_weight` has it:
    divided by the number of positions. torch's weighted `cross_entropy` divides by the sum of the weights in
    the batch, so that a row would count for less beside rows of a heavy class.

    Args:
        values: One loss for each position; those without a label do not enter.
        part: The batch or the mixed examples that they belong to.
    """
    weights = part.label_weights if isinstance(part, Batch) else None  # those of mixed labels are two
    return _sum_of_known(values if weights is None else values * weights, part.scored, part.labelled)


def answered_sum(values: Float[Tensor, "*p"], batch: Batch) -> Float[Tensor, ""]:
    """As `labelled_sum`, for losses against stored outputs of a teacher: over the answered positions."""
    return _sum_of_known(values, batch.scored, None if batch.stored is None else batch.stored.answered)


def _sum_of_known(
    values: Float[Tensor, "*p"], scored: Bool[Tensor, "*p"], known: KnownPositions | None
) -> Float[Tensor, ""]:
    """Sum over the positions that are scored and known, times their weight."""
    if known is None:
        return masked_sum(values, scored)
    total = masked_sum(values, scored & known.mask)
    return total if known.weight is None else total * known.weight
