"""Texts for language models, loaded from Python."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmdistill.data.language.conversations import Conversations
from lmdistill.recipes.language_model import Texts
from lmdistill.recipes.parsing import parse
from lmdistill.runs.language import data


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Training and dev texts of a language model."""

    settings: Texts
    """Source, longest passage and packing of the texts."""

    rows: Conversations
    """Training and dev rows."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was inferred, dropped or counted while loading."""
        return self.rows.notes


def load_texts(source: str | Path, **settings: Any) -> Corpus:
    """Texts for language models, stored as memory-mapped files in the cache of `datasets`.

    Args:
        source: A file, a folder, a data set of the hub, or `stories` (made by this program).
        **settings: Other keys of a recipe's `texts`, such as `dev_rows=100`, `max_length=256`, `packing=True`
            or `evaluation=("questions.jsonl",)`.

    Returns:
        The texts; what was inferred, dropped or counted is in their notes and in the log.

    Raises:
        UnknownNameError: For a setting that does not exist.
        ConfigError: For a value out of its range.
        DataError: For a file, column or row that cannot be used, with its location.
    """
    chosen: Texts = parse(Texts, {"source": str(source), **settings}, "texts")
    return Corpus(settings=chosen, rows=data.load_texts(chosen))
