"""The texts of a recipe in tokens: every passage, and batches of them."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lmdistill.core.batch import Batch
from lmdistill.core.protocols import Method
from lmdistill.data.batching.batch_sampler import evaluation_batches
from lmdistill.data.batching.dataloader import BatchLoader
from lmdistill.data.language.collator import LanguageCollator
from lmdistill.data.language.conversations import Conversations
from lmdistill.data.language.tokenization import Passages, encode_passages, pad_id
from lmdistill.engine.training_settings import Training
from lmdistill.recipes.language_model import Texts
from lmdistill.runs.batch_plan import plan

log = logging.getLogger("lmdistill")

EVALUATION_BATCH = 32


@dataclass(frozen=True, kw_only=True)
class EncodedTexts:
    """Passages as token ids, and how to make batches of them."""

    train: Passages
    """What is learned from."""

    dev: Passages
    """What is evaluated on."""

    padding: int
    """Token id that fills short rows."""

    max_length: int
    """Longest passage in tokens."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was cut and dropped."""
        found = {"train": self.train, "dev": self.dev}
        return tuple(
            f"{name}: {note}" for name, part in found.items() for note in part.counts.notes(self.max_length)
        )

    def feed(self, method: Method, training: Training) -> BatchLoader:
        """The batches of a run."""
        collator = LanguageCollator(rows=self.train.rows, padding=self.padding)
        return BatchLoader(sampler=plan(self.train.lengths, method, training), collator=collator)

    def dev_batches(self, size: int = EVALUATION_BATCH) -> Iterator[Batch]:
        """Every dev passage once, longest first."""
        yield from in_batches(self.dev, self.padding, size)


def encode_texts(found: Conversations, tokenizer: Any, texts: Texts) -> EncodedTexts:
    """The passages of `found` as one tokenizer cuts them.

    Args:
        found: Training and dev rows.
        tokenizer: Of student and teacher.
        texts: How long, and whether plain texts are packed.
    """
    length = texts.max_length
    return EncodedTexts(
        train=encode_passages(found.train, tokenizer, max_length=length, packing=texts.packing),
        dev=encode_dev(found, tokenizer, texts),
        padding=pad_id(tokenizer),
        max_length=length,
    )


def encode_dev(found: Conversations, tokenizer: Any, texts: Texts) -> Passages:
    """The dev passages of `found` alone; they are never packed."""
    return encode_passages(found.dev, tokenizer, max_length=texts.max_length)


def in_batches(passages: Passages, padding: int, size: int = EVALUATION_BATCH) -> Iterator[Batch]:
    """Every passage once, longest first."""
    collator = LanguageCollator(rows=passages.rows, padding=padding)
    for (draw,) in evaluation_batches(passages.lengths, batch_size=size):
        yield collator[draw]
