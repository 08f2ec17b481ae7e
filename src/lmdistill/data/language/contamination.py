"""Contamination: training rows whose question, or whose text, also stands in rows for evaluation."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from datasets import Dataset

from lmdistill.core.errors import DataError
from lmdistill.data.language.chat_template import last_user_message, parse_messages
from lmdistill.data.language.instruction_format import TEXTS
from lmdistill.data.language.prompts import open_prompts

QUESTIONS = ("messages", "instruction", "prompt", "question", *TEXTS)
"""Columns of an evaluation file that may hold its questions; the first that is there does."""


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """What was found in the evaluation files."""

    total: int
    """Training rows before."""

    dropped: int
    """Training rows that were dropped."""

    questions: Mapping[str, tuple[int, int]]
    """By evaluation file: its different questions, and how many of them stood in the training rows."""

    @property
    def share(self) -> float:
        """Dropped rows over all rows, in [0, 1]."""
        return self.dropped / self.total if self.total else 0.0

    @property
    def notes(self) -> tuple[str, ...]:
        """What to say of it."""
        found = tuple(
            f"{shared} of the {count} different questions of {name} stand in the training rows"
            for name, (count, shared) in self.questions.items()
        )
        return (*found, f"dropped {self.dropped} of {self.total} training rows for that")


def normalize_question(text: str) -> str:
    r"""A question without what does not change it: case, white space, punctuation and forms of letters.

    Examples:
        >>> normalize_question("  What's NEW?\n") == normalize_question("what s new")
        True
    """
    return re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", text).casefold()).strip()


def questions_in_file(path: Path) -> set[str]:
    """The different questions of an evaluation file, normalized; answers need not be there.

    Args:
        path: A JSON list, JSON lines, CSV, TSV or Parquet file, or a text file. Its questions are in the
            first of the columns `QUESTIONS`; an instruction counts without its input, and a chat by what
            the user
            asked last.

    Raises:
        DataError: None of these columns is there, or no question in them.
    """
    found = {normalize_question(text) for text in _questions(path)} - {""}
    if not found:
        raise DataError(f"{path} holds no question to look for. Check the file, or leave it out.")
    return found


def _questions(path: Path) -> Iterator[str]:
    """The questions of a file, row by row."""
    rows = open_prompts(path)
    column = next((name for name in QUESTIONS if name in rows.fieldnames), None)
    if column is None:
        raise DataError(
            f"{path}: it is not clear which column holds the questions; the columns are: "
            f"{', '.join(rows.fieldnames)}. Call it 'prompt' or 'instruction'."
        )
    for row in rows.read():
        if column == "messages":
            value = (row.values or row.fields).get(column)
            yield last_user_message(parse_messages(value, rows.location(row.number), answered=False))
        else:
            yield row.fields.get(column, "")


def questions_in_rows(rows: Dataset) -> set[str]:
    """The different questions of rows with a column `question`, normalized."""
    found: set[str] = set()
    for batch in rows.select_columns("question").with_format(None).iter(batch_size=10_000):
        found.update(map(normalize_question, batch["question"]))
    return found - {""}


def drop_contaminated(rows: Dataset, evaluation: Mapping[str, set[str]]) -> tuple[Dataset, Overlap]:
    """The rows whose question stands in no evaluation file.

    Args:
        rows: Training rows with a column `question`.
        evaluation: Questions by the name of their file, as `questions_in_file` gives them.

    Raises:
        DataError: No row is left.
    """
    every: set[str] = set().union(*evaluation.values())
    keep: list[int] = []
    seen: set[str] = set()
    number = 0
    for batch in rows.select_columns("question").with_format(None).iter(batch_size=10_000):
        for question in map(normalize_question, batch["question"]):
            if question in every:
                seen.add(question)
            else:
                keep.append(number)
            number += 1
    overlap = Overlap(
        total=number,
        dropped=number - len(keep),
        questions={name: (len(asked), len(asked & seen)) for name, asked in evaluation.items()},
    )
    if not keep:
        raise DataError(
            f"all {number} training rows also stand in {' or '.join(evaluation)}. Train on other data."
        )
    return (rows.select(keep) if overlap.dropped else rows), overlap


def drop_dev_copies(rows: Dataset, dev: Dataset) -> tuple[Dataset, tuple[str, ...]]:
    """The plain texts that do not stand among the dev rows word for word, and a note on the others.

    Args:
        rows: Training rows with a column `completion`.
        dev: Dev rows likewise.

    Raises:
        DataError: No row is left.
    """
    texts = set(dev["completion"][:])
    keep = [number for number, text in enumerate(rows["completion"]) if text not in texts]
    if not keep:
        raise DataError(
            f"all {rows.num_rows} training rows also stand in the {dev.num_rows} dev rows. Train on other "
            "data, or set texts.dev to another file."
        )
    dropped = rows.num_rows - len(keep)
    if not dropped:
        return rows, ()
    note = f"dropped {dropped} of {rows.num_rows} training rows that also stand in the dev rows"
    return rows.select(keep), (note,)
