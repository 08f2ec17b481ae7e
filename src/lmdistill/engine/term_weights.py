"""Factors of loss terms that only some positions enter: those with a gold label, or with a stored answer.

The engine divides the sum of all terms by the scored positions of the step. A term over fewer positions is
multiplied by scored positions / positions that enter it, so that it is the mean over its own positions,
whatever their number in a micro-batch or on a process.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from lmdistill.core.batch import Batch, KnownPositions


def known_counts(window: Sequence[Batch]) -> list[float]:
    """Scored positions and those that enter, for label terms, teacher terms, and terms of mixed labels.

    Args:
        window: The micro-batches of a process in a step.

    Returns:
        Six numbers; [] if every position has a label and an answer, the same on every process.
    """
    if all(known is None for batch in window for _, known in _terms(batch)):
        return []
    counts = torch.zeros(6)
    for batch in window:
        for place, (scored, known) in enumerate(_terms(batch)):
            entering = scored if known is None else scored & known.mask
            counts[2 * place : 2 * place + 2] += torch.stack([scored.sum(), entering.sum()]).cpu()
    return counts.tolist()


def with_term_weights(batch: Batch, counts: Sequence[Tensor]) -> Batch:
    """The batch with the weights of its terms.

    Args:
        batch: A micro-batch.
        counts: Sums of `known_counts` over all processes; empty if every position enters every term.
    """
    if not counts:
        return batch
    label, answer, mixed_label = (
        scored / known.clamp(min=1) for scored, known in zip(counts[::2], counts[1::2], strict=True)
    )
    mixed, stored = batch.mixed, batch.stored
    if mixed is not None:
        mixed = replace(mixed, labelled=_weighted(mixed.labelled, mixed_label))
    if stored is not None:
        stored = replace(stored, answered=_weighted(stored.answered, answer))
    return replace(batch, labelled=_weighted(batch.labelled, label), mixed=mixed, stored=stored)


def _terms(batch: Batch) -> list[tuple[Tensor, KnownPositions | None]]:
    """Scored positions and those that enter, for each kind of term."""
    answered = None if batch.stored is None else batch.stored.answered
    terms = [(batch.scored, batch.labelled), (batch.scored, answered)]
    return terms if batch.mixed is None else [*terms, (batch.mixed.scored, batch.mixed.labelled)]


def _weighted(known: KnownPositions | None, weight: Tensor) -> KnownPositions | None:
    """The positions of a term with its weight."""
    return None if known is None else replace(known, weight=weight)
