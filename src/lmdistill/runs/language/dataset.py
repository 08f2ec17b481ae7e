"""The passages of a recipe: loaded, limited, kept apart from evaluation files, cut into tokens."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lmdistill.core.batch import Batch
from lmdistill.core.protocols import Method
from lmdistill.core.seeding import generator
from lmdistill.data.batching.batch_sampler import evaluation_batches
from lmdistill.data.batching.dataloader import BatchLoader
from lmdistill.data.language.collator import LanguageCollator
from lmdistill.data.language.contamination import (
    drop_contaminated,
    drop_dev_copies,
    questions_in_file,
    questions_in_rows,
)
from lmdistill.data.language.conversations import Conversations, load_conversations
from lmdistill.data.language.tokenization import Passages, encode_passages, pad_id
from lmdistill.data.synthetic.stories import stories_corpus
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


def load_texts(texts: Texts) -> Conversations:
    """The conversations that a recipe asks for: its number of rows, none of them among those for evaluation.

    Raises:
        DataError: A file, column or row that cannot be used, or no row left.
    """
    found = _loaded(texts)
    return _announced(_limited(_apart(found, texts), texts), len(found.notes))


def load_dev(texts: Texts) -> Conversations:
    """The same for whoever only reads the dev rows: training rows are neither compared nor limited.

    Raises:
        DataError: A file, column or row that cannot be used.
    """
    found = _loaded(texts)
    return _announced(_limited(found, replace(texts, rows=None)), len(found.notes))


def _loaded(texts: Texts) -> Conversations:
    """All rows of the source."""
    if texts.source == "stories":
        return stories_corpus()
    return load_conversations(
        texts.source,
        texts.dev if texts.dev is not None else texts.dev_rows,
        layout=texts.layout,
        template=texts.template,
        completion=texts.completion,
        separator=texts.separator,
        seed=texts.subset_seed,
    )


def _announced(found: Conversations, said: int) -> Conversations:
    """Log the notes after the first `said`, which are in the log; the conversations themselves."""
    for note in found.notes[said:]:
        log.info("%s: %s", found.source, note)
    return found


def _apart(found: Conversations, texts: Texts) -> Conversations:
    """The texts without training rows that also stand in an evaluation file or among the dev rows."""
    questions = {name: questions_in_file(Path(name)) for name in texts.evaluation}
    if texts.dev is not None and texts.source != "stories":
        questions[texts.dev] = questions_in_rows(found.dev)
    if questions:
        kept, overlap = drop_contaminated(found.train, questions)
        found = found.with_train(kept, *overlap.notes)
    if found.layout == "text" and texts.source != "stories":
        kept, notes = drop_dev_copies(found.train, found.dev)
        found = found.with_train(kept, *notes)
    return found


def _limited(found: Conversations, texts: Texts) -> Conversations:
    """As many training and dev rows as are asked for."""
    held, total = found.dev.num_rows, found.train.num_rows
    notes: tuple[str, ...] = ()
    if held > texts.dev_rows:
        dev = found.dev.select(range(texts.dev_rows))
        found = replace(found, splits={**found.splits, "dev": dev})
        notes += (f"the first {texts.dev_rows} of {held} dev rows (texts.dev_rows)",)
    train = found.train
    if texts.rows is not None and texts.rows < total:
        chosen = generator(texts.subset_seed, "subset").permutation(total)[: texts.rows]
        train = train.select(np.sort(chosen))
        notes += (f"{texts.rows} of {total} training rows, drawn with seed {texts.subset_seed}",)
    return found.with_train(train, *notes) if notes else found


def cut_pages(found: Conversations, tokenizer: Any, texts: Texts) -> EncodedTexts:
    """The passages of `found` as one tokenizer cuts them.

    Args:
        found: Training and dev rows.
        tokenizer: Of student and teacher.
        texts: How long, and whether plain texts are packed.
    """
    length = texts.max_length
    return EncodedTexts(
        train=encode_passages(found.train, tokenizer, max_length=length, packing=texts.packing),
        dev=cut_dev(found, tokenizer, texts),
        padding=pad_id(tokenizer),
        max_length=length,
    )


def cut_dev(found: Conversations, tokenizer: Any, texts: Texts) -> Passages:
    """The dev passages of `found` alone; they are never packed."""
    return encode_passages(found.dev, tokenizer, max_length=texts.max_length)


def in_batches(passages: Passages, padding: int, size: int = EVALUATION_BATCH) -> Iterator[Batch]:
    """Every passage once, longest first."""
    collator = LanguageCollator(rows=passages.rows, padding=padding)
    for (draw,) in evaluation_batches(passages.lengths, batch_size=size):
        yield collator[draw]
