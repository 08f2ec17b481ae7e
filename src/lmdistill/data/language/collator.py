"""Language batches: passages to batches in which each position predicts the next token."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from datasets import Dataset

from lmdistill.core.batch import Batch, Inputs
from lmdistill.core.errors import DataError
from lmdistill.data.batching.batch_sampler import MicroBatch


def collate_passages(passages: Sequence[tuple[list[int], int]], padding: int) -> Batch:
    """Passages as a batch: all tokens but the last are read, all but the first are labels.

    Masks are made of lengths. Ids are never compared, so an end token that is also the padding token counts.

    Args:
        passages: Token ids, and the index of the first response token. Responses are scored, their end token
            included; a first token cannot be, since nothing stands before it.
        padding: Id that fills short rows on the right.

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
    label = np.arange(1, block.shape[1])[None, :]  # which token of its row a label is
    scored = (label >= starts) & (label < lengths)
    if not scored.any():
        raise DataError(
            f"none of the {len(passages)} rows of a batch has a token to predict: their prompts fill them. "
            "Raise texts.max_length or drop such rows."
        )
    read = label < lengths
    return Batch(
        inputs=Inputs(
            ids=torch.from_numpy(np.where(read, block[:, :-1], padding)),
            mask=torch.from_numpy(read.astype(np.int64)),
        ),
        labels=torch.from_numpy(block[:, 1:].copy()),
        scored=torch.from_numpy(scored),
        count=int(scored.sum()),
    )


def prompt_length(start: int, length: int, begin: int) -> int:
    """How many tokens of a passage somebody else goes on from: its prompt, or a part of a text without one.

    Args:
        start: Index of the first response token; 0, or 1 after a begin token, where there is no prompt.
        length: Tokens of the passage, >= 2.
        begin: Tokens of a text without a prompt, >= 1; a shorter text keeps its last token to be written.

    Examples:
        >>> prompt_length(5, 9, begin=16), prompt_length(1, 40, begin=16), prompt_length(1, 9, begin=16)
        (5, 16, 8)
    """
    return start if start > 1 else max(start, min(begin, length - 1))


def batch_prompts(batch: Batch) -> list[list[int]]:
    """The ids of each row before its first scored token: what somebody else can complete.

    Args:
        batch: One of `collate_passages`; each row must have a scored token.

    Raises:
        DataError: A row has none, so that it is not known where its prompt ends.

    Examples:
        >>> batch_prompts(collate_passages([([5, 6, 7, 2], 2), ([5, 8], 1)], padding=0))
        [[5, 6], [5]]
    """
    scored = batch.scored.cpu()
    if not bool(scored.any(dim=1).all()):
        row = int((~scored.any(dim=1)).nonzero()[0])
        raise DataError(
            f"row {row} of a batch has no scored token, so its prompt has no end. Drop such rows."
        )
    first = scored.int().argmax(dim=1).tolist()
    rows = batch.inputs.ids.tolist()
    return [ids[: place + 1] for ids, place in zip(rows, first, strict=True)]


@dataclass(frozen=True, kw_only=True)
class LanguageCollator:
    """Makes a `Batch` from a `MicroBatch`; a map from draws to batches that a torch `DataLoader` can read."""

    rows: Dataset = field(repr=False)
    """Columns input_ids and start, as `encode_passages` gives them."""

    padding: int
    """Token id that fills short rows."""

    def __getitem__(self, draw: MicroBatch) -> Batch:
        """The batch of one draw, padded to its own longest row."""
        columns = self.rows[draw.examples]
        passages = list(zip(columns["input_ids"], columns["start"], strict=True))
        batch = collate_passages(passages, self.padding)
        return replace(batch, examples=torch.from_numpy(draw.examples.astype(np.int64)))
