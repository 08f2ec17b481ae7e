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
