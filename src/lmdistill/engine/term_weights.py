"""Factors of loss terms that only some positions enter: those with a gold label, or with a stored answer.

The engine divides the sum of all terms by the scored positions of the step. A term over fewer positions is
multiplied by scored positions / positions that enter it, so that it is the mean over its own positions,
whatever their number in a micro-batch or on a process.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Bool
from torch import Tensor

from lmdistill.core.batch import Batch


def known_counts(window: Sequence[Batch]) -> list[float]:
    """Scored positions and those that enter, for label terms, terms of mixed labels, and teacher terms.

    Args:
        window: The micro-batches of a process in a step.

    Returns:
        Six numbers; [] if every position has a label and an answer, the same on every process.
    """
    if all(batch.labelled is None and batch.answered is None for batch in window):
        return []
    counts = torch.zeros(6)
    for batch in window:
        parts = [(batch.scored, batch.labelled), (batch.scored, batch.answered)]
        if batch.mixed is not None:
            parts.append((batch.mixed.scored, batch.mixed.labelled))
        for place, (scored, known) in enumerate(parts):
            counts[2 * place] += scored.sum().cpu()
            counts[2 * place + 1] += _entering(scored, known).sum().cpu()
    return counts.tolist()


def with_term_weights(batch: Batch, counts: Sequence[Tensor]) -> Batch:
    """The batch with the factors of its terms.

    Args:
        batch: A micro-batch.
        counts: Sums of `known_counts` over all processes; empty if every position enters every term.
    """
    if not counts:
        return batch
    label, answer, mixed_label = (
        scored / known.clamp(min=1) for scored, known in zip(counts[::2], counts[1::2], strict=True)
    )
    mixed = batch.mixed and replace(batch.mixed, label_weight=mixed_label)
    return replace(batch, label_weight=label, answer_weight=answer, mixed=mixed)


def _entering(scored: Bool[Tensor, "*p"], known: Bool[Tensor, "*p"] | None) -> Bool[Tensor, "*p"]:
    """The positions that enter a term."""
    return scored if known is None else scored & known
