"""The texts of a recipe in tokens: every passage, and batches of them."""

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lmdistill.core.batch import Batch
from lmdistill.core.progress import track
from lmdistill.core.protocols import Method
from lmdistill.data.batching.batch_sampler import evaluation_batches
from lmdistill.data.batching.dataloader import BatchLoader
from lmdistill.data.language.chat_template import use_template
from lmdistill.data.language.collator import LanguageCollator
from lmdistill.data.language.conversations import Conversations
from lmdistill.data.language.special_tokens import pad_id
from lmdistill.data.language.tokenization import Passages, encode_passages
from lmdistill.engine.training_settings import Training
from lmdistill.recipes.language_model import Texts
from lmdistill.recipes.validation import require_no_classes
from lmdistill.runs.batch_plan import plan

log = logging.getLogger("lmdistill")

EVALUATION_BATCH = 32
"""Passages of an evaluation batch."""


@dataclass(frozen=True, kw_only=True)
class EncodedTexts:
    """Passages as token ids, and batches of them."""

    train: Passages
    """Passages that the student learns from."""

    dev: Passages
    """Passages that it is judged on."""

    padding: int
    """Token id of padding."""

    max_length: int
    """Longest passage in tokens."""

    @property
    def notes(self) -> tuple[str, ...]:
        """How many passages were truncated and dropped."""
        splits = {"train": self.train, "dev": self.dev}
        return tuple(
            f"{name}: {note}" for name, part in splits.items() for note in part.counts.notes(self.max_length)
        )

    def feed(self, method: Method, training: Training) -> BatchLoader:
        """The batches of a run.

        Raises:
            ConfigError: The training has weights of classes.
        """
        require_no_classes({"training": training})
        collator = LanguageCollator(rows=self.train.rows, padding=self.padding)
        return BatchLoader(sampler=plan(self.train.lengths, method, training), collator=collator)

    def select(self, train: Sequence[int], dev: Sequence[int]) -> "EncodedTexts":
        """The training passages with these numbers as training data, and others of them as dev passages."""
        rows = self.train.rows
        return replace(
            self,
            train=replace(self.train, rows=rows.select(train)),
            dev=replace(self.train, rows=rows.select(dev)),
        )

    def dev_batches(self, size: int = EVALUATION_BATCH) -> Iterator[Batch]:
        """Every dev passage once, longest first."""
        yield from in_batches(self.dev, self.padding, size)


def encode_texts(conversations: Conversations, tokenizer: Any, texts: Texts) -> EncodedTexts:
    """Training and dev texts in tokens of one tokenizer.

    Args:
        conversations: Training and dev rows.
        tokenizer: Of student and teacher; gets the chat template of the texts, if they have one.
        texts: Longest passage, and whether plain texts are packed.
    """
    length = texts.max_length
    use_template(tokenizer, texts.template)
    return EncodedTexts(
        train=encode_passages(conversations.train, tokenizer, max_length=length, packing=texts.packing),
        dev=encode_dev(conversations, tokenizer, texts),
        padding=pad_id(tokenizer),
        max_length=length,
    )


def encode_dev(conversations: Conversations, tokenizer: Any, texts: Texts) -> Passages:
    """The dev passages in tokens; they are never packed."""
    use_template(tokenizer, texts.template)
    return encode_passages(conversations.dev, tokenizer, max_length=texts.max_length)


def in_batches(passages: Passages, padding: int, size: int = EVALUATION_BATCH) -> Iterator[Batch]:
    """Every passage once, longest first."""
    collator = LanguageCollator(rows=passages.rows, padding=padding)
    total = math.ceil(len(passages.rows) / size)
    for (draw,) in track(evaluation_batches(passages.lengths, batch_size=size), "evaluating", total):
        yield collator[draw]
