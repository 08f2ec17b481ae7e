"""Texts from Python: rows, and how they are cut."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmdistill.data.language.conversations import Conversations
from lmdistill.recipes.language_model import Texts
from lmdistill.recipes.parsing import construct
from lmdistill.runs.language import data


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Texts that a language model learns and is evaluated on."""

    settings: Texts
    """Where they come from, and how they are cut."""

    rows: Conversations
    """Training and dev rows."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was inferred, dropped or counted."""
        return self.rows.notes


def load_texts(source: str | Path, **settings: Any) -> Corpus:
    """Texts for language models, stored as memory-mapped files in the cache of `datasets`.

    Args:
        source: A file, a folder, a data set of the hub, or `stories` (made by this program).
        **settings: The others of a recipe's `texts`, such as `dev_rows=100`, `max_length=256`, `packing=True`
            or `evaluation=("questions.jsonl",)`.

    Returns:
        The texts; what was inferred, dropped or counted is in their notes and in the log.

    Raises:
        UnknownNameError: For a setting that does not exist.
        ConfigError: For a value out of its range.
        DataError: A file, column or row that cannot be used, with its place.
    """
    chosen: Texts = construct(Texts, {"source": str(source), **settings}, "texts")
    return Corpus(settings=chosen, rows=data.load_texts(chosen))
