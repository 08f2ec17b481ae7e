"""The texts of a recipe for language models: loaded, limited, kept apart from evaluation files."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from lmdistill.core.seeding import generator
from lmdistill.data.language.contamination import (
    drop_contaminated,
    drop_dev_copies,
    questions_in_file,
    questions_in_rows,
)
from lmdistill.data.language.conversations import Conversations, load_conversations
from lmdistill.data.synthetic.stories import stories_corpus
from lmdistill.recipes.language_model import Texts

log = logging.getLogger("lmdistill")


def load_texts(texts: Texts) -> Conversations:
    """Load the texts of a recipe: limited to its rows, without rows that also stand in evaluation files.

    Raises:
        DataError: A file, column or row that cannot be used, or no row left.
    """
    conversations = _loaded(texts)
    return _with_logged_notes(
        _limited(_without_contamination(conversations, texts), texts), len(conversations.notes)
    )


def load_dev(texts: Texts) -> Conversations:
    """Load the texts of a recipe for evaluation: training rows are neither compared nor limited.

    Raises:
        DataError: A file, column or row that cannot be used.
    """
    conversations = _loaded(texts)
    return _with_logged_notes(_limited(conversations, replace(texts, rows=None)), len(conversations.notes))


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


def _with_logged_notes(conversations: Conversations, logged: int) -> Conversations:
    """Log the notes after the first `logged`, and return the conversations."""
    for note in conversations.notes[logged:]:
        log.info("%s: %s", conversations.source, note)
    return conversations


def _without_contamination(conversations: Conversations, texts: Texts) -> Conversations:
    """Drop training rows that also stand in an evaluation file or among the dev rows."""
    questions = {name: questions_in_file(Path(name)) for name in texts.evaluation}
    if texts.dev is not None and texts.source != "stories":
        questions[texts.dev] = questions_in_rows(conversations.dev)
    if questions:
        kept, overlap = drop_contaminated(conversations.train, questions)
        conversations = conversations.with_train(kept, *overlap.notes)
    if conversations.layout == "text" and texts.source != "stories":
        kept, notes = drop_dev_copies(conversations.train, conversations.dev)
        conversations = conversations.with_train(kept, *notes)
    return conversations


def _limited(conversations: Conversations, texts: Texts) -> Conversations:
    """Limit training and dev rows to the numbers of the settings."""
    held, total = conversations.dev.num_rows, conversations.train.num_rows
    notes: tuple[str, ...] = ()
    if isinstance(texts.dev_rows, int) and held > texts.dev_rows:
        dev = conversations.dev.select(range(texts.dev_rows))
        conversations = replace(conversations, splits={**conversations.splits, "dev": dev})
        notes += (f"the first {texts.dev_rows} of {held} dev rows (texts.dev_rows)",)
    train = conversations.train
    if texts.rows is not None and texts.rows < total:
        chosen = generator(texts.subset_seed, "subset").permutation(total)[: texts.rows]
        train = train.select(np.sort(chosen))
        notes += (f"{texts.rows} of {total} training rows, drawn with seed {texts.subset_seed}",)
    return conversations.with_train(train, *notes) if notes else conversations
