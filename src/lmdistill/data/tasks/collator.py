"""The collator of classifiers and regressors: from row numbers to padded batches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor

from lmdistill.core.batch import (
    Batch,
    Inputs,
    KnownPositions,
    MixedExamples,
    MixupPartners,
    MixupSettings,
    StoredAnswers,
)
from lmdistill.data.batching.batch_sampler import MicroBatch
from lmdistill.data.tasks.plain_rows import labels_of, texts_of


@dataclass(frozen=True, kw_only=True)
class TokenizedRows:
    """A data set encoded by one tokenizer."""

    rows: Dataset
    """Columns input_ids, label, and token_type_ids if the model has segments."""

    padding: int
    """Id of the padding token."""

    @property
    def has_segments(self) -> bool:
        """Whether there are segment ids (token_type_ids)."""
        return "token_type_ids" in self.rows.column_names

    def columns(self, numbers: Int[np.ndarray, " k"]) -> dict[str, list[Any]]:
        """The rows with the given numbers, as column -> values."""
        columns: dict[str, list[Any]] = self.rows[numbers]
        return columns


def tokenized_rows(columns: Mapping[str, list[Any]], *, padding: int) -> TokenizedRows:
    """Unlabelled rows that are held in memory.

    Args:
        columns: input_ids, length and, if the model has segments, token_type_ids; one entry per row.
        padding: Id of the padding token.

    Returns:
        The rows with 0 as every label.
    """
    length = len(columns["input_ids"])
    return TokenizedRows(rows=Dataset.from_dict({**columns, "label": [0] * length}), padding=padding)


@dataclass(frozen=True, kw_only=True)
class Collator:
    """Makes a padded `Batch` from a `MicroBatch`; serves as the data set of a torch `DataLoader`."""

    student: TokenizedRows
    """The examples, encoded by the student's tokenizer."""

    teacher: TokenizedRows | None = None
    """The same examples in the same order, encoded by the teacher's tokenizer; None if it is the same one."""

    mixing: MixupSettings | None = None
    """Settings of mixup; None for methods without it."""

    labelled: Bool[np.ndarray, " n"] | None = None
    """Whether each row has a gold label; None if all have."""

    class_weights: Float[np.ndarray, " c"] | None = None
    """Weight of the label loss of each class; None if all count the same."""

    teacher_logits: Float[np.ndarray, "n v"] | None = None
    """Stored outputs of the teacher for each row, in memory or memory-mapped; NaN for a row without an
    answer. None if the teacher is run."""

    some_unanswered: bool = False
    """Whether `teacher_logits` has rows without an answer."""

    def __getitem__(self, micro_batch: MicroBatch) -> Batch:
        """The batch of one micro-batch, padded to its longest row."""
        numbers = np.concatenate([micro_batch.examples, micro_batch.partners.T.ravel()])
        columns = self.student.columns(numbers)
        labels, labelled = self._labels(numbers, columns["label"])
        weights = self._weights(labels)
        size = len(micro_batch.examples)
        originals, partners = _originals_and_partners(self.student, columns, size)
        teacher_inputs = (
            None
            if self.teacher is None
            else _originals_and_partners(self.teacher, self.teacher.columns(numbers), size)
        )
        return Batch(
            inputs=originals,
            labels=labels[:size],
            scored=torch.ones(size, dtype=torch.bool),
            labelled=None if labelled is None else KnownPositions(mask=labelled[:size]),
            label_weights=None if weights is None else weights[:size],
            examples=torch.from_numpy(micro_batch.examples.astype(np.int64)),
            teacher_inputs=None if teacher_inputs is None else teacher_inputs[0],
            stored=self._stored(micro_batch.examples),
            mixed=None
            if self.mixing is None
            else self._mixed(micro_batch, (labels, labelled, weights), (originals, partners), teacher_inputs),
            count=size,
        )

    def _labels(
        self, numbers: Int[np.ndarray, " k"], values: Sequence[int] | Sequence[float] | Sequence[list[int]]
    ) -> tuple[Num[Tensor, "k *labels"], Bool[Tensor, " k"] | None]:
        """Class numbers or rows of 0 and 1 as int64, or scores as float32; and whether there is a label.

        Where there is none, it is 0.
        """
        labels = torch.tensor(values)
        labels = labels.float() if labels.is_floating_point() else labels
        if self.labelled is None:
            return labels, None
        labelled = torch.from_numpy(self.labelled[numbers])
        return labels.masked_fill(~labelled if labels.ndim == 1 else ~labelled.unsqueeze(-1), 0), labelled

    def _weights(self, labels: Num[Tensor, "k *labels"]) -> Float[Tensor, " k"] | None:
        """The weight of the class of each label; that of a row without one does not matter."""
        if self.class_weights is None:
            return None
        return torch.from_numpy(self.class_weights.astype(np.float32))[labels]

    def _stored(self, examples: Int[np.ndarray, " b"]) -> StoredAnswers | None:
        """The stored outputs of the teacher for the original examples."""
        if self.teacher_logits is None:
            return None
        logits = torch.from_numpy(np.array(self.teacher_logits[examples], dtype=np.float32))
        unknown = logits.isnan()
        answered = KnownPositions(mask=~unknown.any(-1)) if self.some_unanswered else None
        return StoredAnswers(logits=logits.masked_fill(unknown, 0.0), answered=answered)

    def _mixed(
        self,
        micro_batch: MicroBatch,
        labelling: tuple[Num[Tensor, "k *labels"], Bool[Tensor, " k"] | None, Float[Tensor, " k"] | None],
        student_inputs: tuple[Inputs, Inputs],
        teacher_inputs: tuple[Inputs, Inputs] | None,
    ) -> MixedExamples:
        """The mixed samples: sample 1 of all originals, then sample 2, and so on up to `ratio`."""
        assert self.mixing is not None
        ratio, size = self.mixing.ratio, len(micro_batch.examples)
        labels, labelled, weights = labelling
        share = torch.from_numpy(micro_batch.shares.T.ravel().astype(np.float32))
        keep = self.mixing.segments == "keep"
        return MixedExamples(
            inputs=_blended(*student_inputs, share=share, ratio=ratio, keep=keep),
            labels=labels[:size].repeat(ratio, *([1] * (labels.ndim - 1))),
            partner_labels=labels[size:],
            weights=None if weights is None else weights[:size].repeat(ratio),
            partner_weights=None if weights is None else weights[size:],
            share=share,
            scored=torch.ones(size * ratio, dtype=torch.bool),
            labelled=None
            if labelled is None
            else KnownPositions(mask=labelled[:size].repeat(ratio) & labelled[size:]),
            teacher_inputs=None
            if teacher_inputs is None
            else _blended(*teacher_inputs, share=share, ratio=ratio, keep=keep),
        )


def _originals_and_partners(
    view: TokenizedRows, columns: Mapping[str, list[Any]], size: int
) -> tuple[Inputs, Inputs]:
    """The first `size` rows (originals) and the others (partners), padded to the same length."""
    ids, mask = _padded(columns["input_ids"], view.padding)
    segments = _padded(columns["token_type_ids"], 0)[0] if view.has_segments else None
    return (
        Inputs(ids=ids[:size], mask=mask[:size], segments=None if segments is None else segments[:size]),
        Inputs(ids=ids[size:], mask=mask[size:], segments=None if segments is None else segments[size:]),
    )


def _padded(rows: Sequence[Sequence[int]], filler: int) -> tuple[Int[Tensor, "k t"], Int[Tensor, "k t"]]:
    """Rows padded to the longest one, and the attention mask: 1 for a token, 0 for padding."""
    lengths = np.fromiter((len(row) for row in rows), dtype=np.int64, count=len(rows))
    mask = np.arange(lengths.max())[None, :] < lengths[:, None]
    block = np.full(mask.shape, filler, dtype=np.int64)
    block[mask] = np.concatenate([np.asarray(row, dtype=np.int64) for row in rows])
    return torch.from_numpy(block), torch.from_numpy(mask.astype(np.int64))


def _blended(plain: Inputs, partners: Inputs, *, share: Tensor, ratio: int, keep: bool) -> Inputs:
    """`ratio` copies of the originals, each with its mixup partner."""
    return Inputs(
        ids=plain.ids.repeat(ratio, 1),
        mask=plain.mask.repeat(ratio, 1),
        segments=None if plain.segments is None else plain.segments.repeat(ratio, 1),
        partners=MixupPartners(
            ids=partners.ids, mask=partners.mask, share=share, segments=None if keep else partners.segments
        ),
    )


def rows_in_words(rows: Dataset) -> TokenizedRows:
    """Examples with the number of their words as length, and without tokens."""
    first, second = texts_of(rows, pair=True)
    lengths = [len(one.split()) + len(other.split()) for one, other in zip(first, second or (), strict=True)]
    return TokenizedRows(rows=Dataset.from_dict({"label": labels_of(rows), "length": lengths}), padding=0)
