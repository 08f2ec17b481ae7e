"""Contamination: training rows whose question or text also occurs in evaluation data."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from datasets import Dataset

from lmdistill.core.errors import DataError
from lmdistill.data.language.chat_messages import last_user_message, read_chat
from lmdistill.data.language.instruction_format import TEXTS
from lmdistill.data.language.prompts import open_prompts, prompt_chat_columns
from lmdistill.data.language.text_cells import text_cell

QUESTIONS = ("instruction", "prompt", "question", *TEXTS)
"""Columns of an evaluation file without chats that can contain its questions; the first one is used."""


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """Overlap of the training rows with evaluation files."""

    total: int
    """Number of training rows before rows were dropped."""

    dropped: int
    """Number of training rows that were dropped."""

    questions: Mapping[str, tuple[int, int]]
    """Name of an evaluation file -> (its distinct questions, how many of them occur in the training rows)."""

    @property
    def share(self) -> float:
        """Fraction of the training rows that were dropped, in [0, 1]."""
        return self.dropped / self.total if self.total else 0.0

    @property
    def notes(self) -> tuple[str, ...]:
        """A note for each evaluation file, and one on the dropped rows."""
        by_file = tuple(
            f"{shared} of the {count} different questions of {name} occur in the training rows"
            for name, (count, shared) in self.questions.items()
        )
        return (*by_file, f"dropped {self.dropped} of {self.total} training rows with these questions")


def normalize_question(text: str) -> str:
    r"""A question for comparison: without case, punctuation, white space and Unicode variants (NFKC).

    Examples:
        >>> normalize_question("  What's NEW?\n") == normalize_question("what s new")
        True
    """
    return re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", text).casefold()).strip()


def questions_in_file(path: Path) -> set[str]:
    """The distinct questions of an evaluation file, normalized; the file needs no answers.

    Args:
        path: A JSON list, JSON lines, CSV, TSV, Parquet or text file. The questions are in the first column
            of `QUESTIONS` that exists: instructions are compared without their input, chats by the user's
            last message.

    Raises:
        DataError: The file has none of these columns, or no questions.
    """
    questions = {normalize_question(text) for text in _questions(path)} - {""}
    if not questions:
        raise DataError(f"{path} contains no questions. Check the file, or leave it out.")
    return questions


def _questions(path: Path) -> Iterator[str]:
    """The questions of a file, row by row."""
    rows = open_prompts(path)
    chats = prompt_chat_columns(rows)
    column = next((name for name in QUESTIONS if name in rows.fieldnames), None)
    if column is None and not chats:
        raise DataError(
            f"{path}: it is not clear which column holds the questions; the columns are: "
            f"{', '.join(rows.fieldnames)}. Rename it to 'prompt' or 'instruction'."
        )
    for row in rows.read():
        location = rows.location(row.number)
        if chats:
            yield last_user_message(read_chat(row, chats, location, answered=False).messages)
        else:
            yield text_cell(row, str(column), location)


def questions_in_rows(rows: Dataset) -> set[str]:
    """The distinct questions of rows with a column `question`, normalized."""
    questions: set[str] = set()
    for batch in rows.select_columns("question").with_format(None).iter(batch_size=10_000):
        questions.update(map(normalize_question, batch["question"]))
    return questions - {""}


def drop_contaminated(rows: Dataset, evaluation: Mapping[str, set[str]]) -> tuple[Dataset, Overlap]:
    """Drop the rows whose question occurs in an evaluation file.

    Args:
        rows: Training rows with a column `question`.
        evaluation: Name of a file -> its questions, as returned by `questions_in_file`.

    Returns:
        The rows that are left, and counts of the overlap.

    Raises:
        DataError: No row is left.
    """
    all_questions: set[str] = set().union(*evaluation.values())
    keep: list[int] = []
    shared: set[str] = set()
    number = 0
    for batch in rows.select_columns("question").with_format(None).iter(batch_size=10_000):
        for question in map(normalize_question, batch["question"]):
            if question in all_questions:
                shared.add(question)
            else:
                keep.append(number)
            number += 1
    overlap = Overlap(
        total=number,
        dropped=number - len(keep),
        questions={name: (len(texts), len(texts & shared)) for name, texts in evaluation.items()},
    )
    if not keep:
        raise DataError(
            f"all {number} training rows also occur in {' or '.join(evaluation)}. Train on other data."
        )
    return (rows.select(keep) if overlap.dropped else rows), overlap


def drop_dev_copies(rows: Dataset, dev: Dataset) -> tuple[Dataset, tuple[str, ...]]:
    """Drop the plain texts that are exact copies of dev texts.

    Args:
        rows: Training rows with a column `completion`.
        dev: Dev rows with a column `completion`.

    Returns:
        The rows that are left, and a note on the dropped ones if there are any.

    Raises:
        DataError: No row is left.
    """
    dev_texts = set(dev["completion"][:])
    keep = [number for number, text in enumerate(rows["completion"]) if text not in dev_texts]
    if not keep:
        raise DataError(
            f"all {rows.num_rows} training rows also occur in the {dev.num_rows} dev rows. Train on other "
            "data, or set texts.dev to another file."
        )
    dropped = rows.num_rows - len(keep)
    if not dropped:
        return rows, ()
    note = f"dropped {dropped} of {rows.num_rows} training rows that also occur in the dev rows"
    return rows.select(keep), (note,)
