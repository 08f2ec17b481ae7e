"""Row numbers to batches: look the rows up, pad them, count what is scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from jaxtyping import Int
from torch import Tensor

from lmdistill.core.batch import Batch, Inputs, MixedExamples, MixupPartners, MixupSettings
from lmdistill.data.batching.batch_sampler import MicroBatch


@dataclass(frozen=True, kw_only=True)
class TokenizedRows:
    """The training set as one tokenizer sees it."""

    rows: Dataset
    """Columns input_ids, label, and token_type_ids where the model has segments."""

    padding: int
    """Token id that fills short rows."""

    @property
    def has_segments(self) -> bool:
        """Whether segment ids are stored."""
        return "token_type_ids" in self.rows.column_names

    def columns(self, numbers: Int[np.ndarray, " k"]) -> dict[str, list[Any]]:
        """The rows with these numbers, column by column."""
        columns: dict[str, list[Any]] = self.rows[numbers]
        return columns


def tokenized_rows(columns: Mapping[str, list[Any]], *, padding: int) -> TokenizedRows:
    """A few rows in memory, without labels: input_ids, length, and token_type_ids where there are any."""
    length = len(columns["input_ids"])
    return TokenizedRows(rows=Dataset.from_dict({**columns, "label": [0] * length}), padding=padding)


@dataclass(frozen=True, kw_only=True)
class Collator:
    """Makes a `Batch` from a `MicroBatch`; a map from draws to batches that a torch `DataLoader` can read."""

    student: TokenizedRows
    """What the student reads."""

    teacher: TokenizedRows | None = None
    """What the teacher reads, if it has a tokenizer of its own; the same rows in the same order."""

    mixing: MixupSettings | None = None
    """How partners are used, for methods that interpolate."""

    def __getitem__(self, draw: MicroBatch) -> Batch:
        """The batch of one draw, padded to its own longest row."""
        numbers = np.concatenate([draw.examples, draw.partners.T.ravel()])
        columns = self.student.columns(numbers)
        labels = _labels(columns["label"])
        size = len(draw.examples)
        plain, partners = _halves(self.student, columns, size)
        theirs = None if self.teacher is None else _halves(self.teacher, self.teacher.columns(numbers), size)
        return Batch(
            inputs=plain,
            labels=labels[:size],
            scored=torch.ones(size, dtype=torch.bool),
            examples=torch.from_numpy(draw.examples.astype(np.int64)),
            teacher_inputs=None if theirs is None else theirs[0],
            mixed=None if self.mixing is None else self._mixed(draw, labels, (plain, partners), theirs),
            count=size,
        )

    def _mixed(
        self,
        draw: MicroBatch,
        labels: Tensor,
        ours: tuple[Inputs, Inputs],
        theirs: tuple[Inputs, Inputs] | None,
    ) -> MixedExamples:
        """Every original with each of its partners; sample r of all originals, then sample r + 1."""
        assert self.mixing is not None
        ratio, size = self.mixing.ratio, len(draw.examples)
        share = torch.from_numpy(draw.shares.T.ravel().astype(np.float32))
        keep = self.mixing.segments == "keep"
        return MixedExamples(
            inputs=_blended(*ours, share=share, ratio=ratio, keep=keep),
            labels=labels[:size].repeat(ratio),
            partner_labels=labels[size:],
            share=share,
            scored=torch.ones(size * ratio, dtype=torch.bool),
            teacher_inputs=None if theirs is None else _blended(*theirs, share=share, ratio=ratio, keep=keep),
        )


def _labels(values: Sequence[int] | Sequence[float]) -> Tensor:
    """Class numbers as int64, scores as float32."""
    labels = torch.tensor(values)
    return labels.float() if labels.is_floating_point() else labels


def _halves(view: TokenizedRows, columns: Mapping[str, list[Any]], size: int) -> tuple[Inputs, Inputs]:
    """The first `size` rows and the others, padded to one length."""
    ids, mask = _padded(columns["input_ids"], view.padding)
    segments = _padded(columns["token_type_ids"], 0)[0] if view.has_segments else None
    return (
        Inputs(ids=ids[:size], mask=mask[:size], segments=None if segments is None else segments[:size]),
        Inputs(ids=ids[size:], mask=mask[size:], segments=None if segments is None else segments[size:]),
    )


def _padded(rows: Sequence[Sequence[int]], filler: int) -> tuple[Int[Tensor, "k t"], Int[Tensor, "k t"]]:
    """Rows of different lengths as one block, and where they have tokens."""
    lengths = np.fromiter((len(row) for row in rows), dtype=np.int64, count=len(rows))
    mask = np.arange(lengths.max())[None, :] < lengths[:, None]
    block = np.full(mask.shape, filler, dtype=np.int64)
    block[mask] = np.concatenate([np.asarray(row, dtype=np.int64) for row in rows])
    return torch.from_numpy(block), torch.from_numpy(mask.astype(np.int64))


def _blended(plain: Inputs, partners: Inputs, *, share: Tensor, ratio: int, keep: bool) -> Inputs:
    """`ratio` copies of the originals, each with its partner beside it."""
    return Inputs(
        ids=plain.ids.repeat(ratio, 1),
        mask=plain.mask.repeat(ratio, 1),
        segments=None if plain.segments is None else plain.segments.repeat(ratio, 1),
        partners=MixupPartners(
            ids=partners.ids, mask=partners.mask, share=share, segments=None if keep else partners.segments
        ),
    )
