"""Batches for language models, in which each position predicts the next token."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from datasets import Dataset

from lmdistill.core.batch import Batch, Inputs
from lmdistill.core.errors import DataError
from lmdistill.data.batching.batch_sampler import MicroBatch


def collate_passages(passages: Sequence[tuple[list[int], int]], padding: int) -> Batch:
    """Pad passages and form a batch: the inputs are all tokens but the last, the labels all but the first.

    Masks are computed from lengths, not from token ids. So the end token is scored even if it is also the
    padding token.

    Args:
        passages: Token ids of each passage, and the index of its first response token. The response tokens
            are scored, the end token included. The first token of a passage is never scored, because no token
            is before it.
        padding: Token id that fills short rows on the right.

    Returns:
        A batch with b passages and t positions, t = length of the longest passage - 1, t >= 1.

    Raises:
        DataError: No token of the batch is scored.

    Examples:
        >>> batch = collate_passages([([5, 6, 7, 2], 2), ([5, 8], 1)], padding=2)
        >>> batch.inputs.ids.tolist(), batch.labels.tolist()
        ([[5, 6, 7], [5, 2, 2]], [[6, 7, 2], [8, 2, 2]])
        >>> batch.scored.tolist(), batch.count
        ([[False, True, True], [True, False, False]], 3)
    """
    lengths = np.array([len(ids) for ids, _ in passages], dtype=np.int64)[:, None]
    starts = np.array([start for _, start in passages], dtype=np.int64)[:, None]
    block = np.full((len(passages), max(2, int(lengths.max(initial=0)))), padding, dtype=np.int64)
    for row, (ids, _) in zip(block, passages, strict=True):
        row[: len(ids)] = ids
    label_index = np.arange(1, block.shape[1])[None, :]  # index of each label in its passage
    scored = (label_index >= starts) & (label_index < lengths)
    if not scored.any():
        raise DataError(
            f"none of the {len(passages)} rows of a batch has a token to predict, because their prompts fill "
            "them. Raise texts.max_length or drop such rows."
        )
    is_input = label_index < lengths
    return Batch(
        inputs=Inputs(
            ids=torch.from_numpy(np.where(is_input, block[:, :-1], padding)),
            mask=torch.from_numpy(is_input.astype(np.int64)),
        ),
        labels=torch.from_numpy(block[:, 1:].copy()),
        scored=torch.from_numpy(scored),
        count=int(scored.sum()),
    )


def prompt_length(start: int, length: int, begin: int) -> int:
    """Number of tokens of a passage that serve as a prompt: its own prompt, or the beginning of a plain text.

    Args:
        start: Index of the first response token; 0, or 1 after a begin token, if there is no prompt.
        length: Number of tokens of the passage, >= 2.
        begin: Number of tokens of a plain text that serve as a prompt, >= 1. At least the last token of the
            passage is left for the completion.

    Examples:
        >>> prompt_length(5, 9, begin=16), prompt_length(1, 40, begin=16), prompt_length(1, 9, begin=16)
        (5, 16, 8)
    """
    return start if start > 1 else max(start, min(begin, length - 1))


def batch_prompts(batch: Batch) -> list[list[int]]:
    """The token ids of each row before its first scored token, which a model can complete.

    Args:
        batch: A batch of `collate_passages` with at least one scored token in each row.

    Raises:
        DataError: A row has no scored token, so the end of its prompt is not known.

    Examples:
        >>> batch_prompts(collate_passages([([5, 6, 7, 2], 2), ([5, 8], 1)], padding=0))
        [[5, 6], [5]]
    """
    scored = batch.scored.cpu()
    if not bool(scored.any(dim=1).all()):
        row = int((~scored.any(dim=1)).nonzero()[0])
        raise DataError(
            f"row {row} of a batch has no scored token, so the end of its prompt is not known. Drop such "
            "rows."
        )
    first_scored = scored.int().argmax(dim=1).tolist()
    rows = batch.inputs.ids.tolist()
    return [ids[: position + 1] for ids, position in zip(rows, first_scored, strict=True)]


@dataclass(frozen=True, kw_only=True)
class LanguageCollator:
    """Loads the passages of a `MicroBatch` and pads them to a `Batch`; usable as a torch dataset."""

    rows: Dataset = field(repr=False)
    """Passages, with the columns input_ids and start of `encode_passages`."""

    padding: int
    """Token id that fills short rows on the right."""

    def __getitem__(self, micro_batch: MicroBatch) -> Batch:
        """The rows of `micro_batch`, padded to the longest of them."""
        columns = self.rows[micro_batch.examples]
        passages = list(zip(columns["input_ids"], columns["start"], strict=True))
        batch = collate_passages(passages, self.padding)
        return replace(batch, examples=torch.from_numpy(micro_batch.examples.astype(np.int64)))
