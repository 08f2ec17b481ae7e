"""The passages of a recipe: loaded, limited, kept apart from evaluation files, cut into tokens."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lmdistill.core.seeding import generator
from lmdistill.core.types import Batch, Method
from lmdistill.data.contamination import questions_in, without_overlap
from lmdistill.data.conversations import Conversations, load_conversations
from lmdistill.data.feed import Feed
from lmdistill.data.language_batches import LanguageCollator
from lmdistill.data.sampling import in_order
from lmdistill.data.stories import stories_corpus
from lmdistill.data.tokens import Passages, encode_passages, padding_of
from lmdistill.engine.training import Training
from lmdistill.recipes.language.schema import Texts
from lmdistill.recipes.plan import plan

EVALUATION_BATCH = 32


@dataclass(frozen=True, kw_only=True)
class Pages:
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
            f"{name}: {note}" for name, part in found.items() for note in part.facts.notes(self.max_length)
        )

    def feed(self, method: Method, training: Training) -> Feed:
        """The batches of a run."""
        collator = LanguageCollator(rows=self.train.rows, padding=self.padding)
        return Feed(plan=plan(self.train.lengths, method, training), collator=collator)

    def dev_batches(self, size: int = EVALUATION_BATCH) -> Iterator[Batch]:
        """Every dev passage once, longest first."""
        collator = LanguageCollator(rows=self.dev.rows, padding=self.padding)
        for (draw,) in in_order(self.dev.lengths, batch_size=size):
            yield collator[draw]


def load_texts(texts: Texts) -> Conversations:
    """The conversations that a recipe asks for: its number of rows, none of them in an evaluation file.

    Raises:
        DataError: A file, column or row that cannot be used, or no row left.
    """
    if texts.source == "stories":
        found = stories_corpus()
    else:
        found = load_conversations(
            texts.source,
            texts.dev if texts.dev is not None else texts.dev_rows,
            template=texts.template,
            separator=texts.separator,
            seed=texts.subset_seed,
        )
    if texts.evaluation:
        kept, overlap = without_overlap(
            found.train, {name: questions_in(Path(name)) for name in texts.evaluation}
        )
        found = found.with_train(kept, *overlap.notes)
    dev = found.dev.select(range(min(texts.dev_rows, found.dev.num_rows)))
    found = replace(found, splits={**found.splits, "dev": dev})
    total = found.train.num_rows
    if texts.rows is None or texts.rows >= total:
        return found
    chosen = generator(texts.subset_seed, "subset").permutation(total)[: texts.rows]
    note = f"{texts.rows} of {total} training rows, drawn with seed {texts.subset_seed}"
    return found.with_train(found.train.select(np.sort(chosen)), note)


def cut_pages(found: Conversations, tokenizer: Any, texts: Texts) -> Pages:
    """The passages of `found` as one tokenizer cuts them.

    Args:
        found: Training and dev rows.
        tokenizer: Of student and teacher.
        texts: How long, and whether plain texts are packed.
    """
    length = texts.max_length
    return Pages(
        train=encode_passages(found.train, tokenizer, max_length=length, packing=texts.packing),
        dev=encode_passages(found.dev, tokenizer, max_length=length),
        padding=padding_of(tokenizer),
        max_length=length,
    )
