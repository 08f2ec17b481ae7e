"""A file of a teacher's answers: for each text probabilities, logits, a label, or those of several judges.

Answers are joined to the examples of a task by their texts, never by the order of rows. They become logits:

- `logits` are taken as they are;
- probabilities p become log max(p, 1e-6), minus their mean: a softmax turns that into p again. Methods that
  compare logits compare these;
- a label is the probability 1 of its class, and the labels of several judges are shares of their votes.

With several labels a text, probabilities are of each label on its own and become log(p / (1 - p)), which a
sigmoid turns into p again; `labels` is a list of labels, and `votes` a list of such lists.
"""

import hashlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from datasets import Dataset
from jaxtyping import Float, Shaped

from lmdistill.core.errors import DataError
from lmdistill.core.fingerprint import file_fingerprint
from lmdistill.data.files.formats import open_rows
from lmdistill.data.files.table_format import TableFormat
from lmdistill.data.tasks.answer_reader import AnswerReader
from lmdistill.data.tasks.task_spec import TaskSpec
from lmdistill.data.tasks.text_table import TextTable
from lmdistill.data.tasks.unlabelled import text_columns_like

LEAST_JOINED = 0.5
"""Smallest share of the training texts that must have an answer."""

KEY_BYTES = 16
"""Size of the hash of a text."""


@dataclass(frozen=True, kw_only=True)
class TeacherAnswers:
    """Answers of a teacher by the texts that they are for."""

    source: str
    """Path of the file with the answers."""

    fingerprint: str
    """Fingerprint of its contents (16 hexadecimal digits)."""

    kind: str
    """"probabilities", "logits", "labels" or "votes"."""

    keys: Shaped[np.ndarray, " k"]
    """A hash of the one or two texts of each answer, with single spaces; sorted, none twice."""

    logits: Float[np.ndarray, "k v"]
    """Logits of each answer in the order of the task's classes, float32."""

    repeated: int
    """Rows whose texts had an answer already; the mean of their logits counts."""

    def of(self, rows: Dataset) -> Float[np.ndarray, "n v"]:
        """The logits of each example, NaN without an answer.

        Args:
            rows: Columns sentence1 and sentence2.
        """
        keys = bytearray()
        for texts in _texts(rows):
            keys += _key(texts)
        wanted = _keys(keys)
        places = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        known = self.keys[places] == wanted
        return np.where(known[:, None], self.logits[places], np.float32(np.nan))


def require_joined(answers: TeacherAnswers, logits: Float[np.ndarray, "n v"], where: str) -> str:
    """Check that enough texts have an answer.

    Args:
        answers: The answers.
        logits: What `TeacherAnswers.of` gave for the texts.
        where: What the texts are, such as "training texts".

    Returns:
        A note that counts them.

    Raises:
        DataError: Less than half of them have one.
    """
    total, joined = len(logits), int((~np.isnan(logits[:, 0])).sum())
    if joined < LEAST_JOINED * total:
        raise DataError(
            f"{answers.source} has answers for {joined} of {total} {where}, which is less than half. Answers "
            "are joined by their texts: check that the file holds the same texts in the same columns."
        )
    missing = f"; {total - joined} have none" if joined < total else ""
    return f"{joined} of {total} {where} have an answer in {answers.source}{missing}"


def _key(texts: Sequence[str]) -> bytes:
    """A hash of the texts of an example: 16 bytes, so that a million of them are 16 MB."""
    return hashlib.blake2b("\n".join(texts).encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()


def _keys(written: bytearray) -> Shaped[np.ndarray, " k"]:
    """Hashes that were written one after the other, as an array that can be sorted."""
    return np.frombuffer(written, dtype=f"S{KEY_BYTES}")


def _texts(rows: Dataset) -> Iterator[tuple[str, ...]]:
    """The texts of each example, with single spaces."""
    for batch in rows.select_columns(["sentence1", "sentence2"]).with_format(None).iter(batch_size=1000):
        for pair in zip(batch["sentence1"], batch["sentence2"], strict=True):
            yield tuple(" ".join(text.split()) for text in pair if text)


def read_answers(
    path: Path,
    spec: TaskSpec,
    *,
    text: Sequence[str] = (),
    join: str | None = None,
    separator: str | None = None,
    form: TableFormat,
) -> TeacherAnswers:
    """Read a file of answers.

    Args:
        path: JSON lines, JSON, CSV, TSV or Parquet.
        spec: The task, whose classes the answers must have.
        text: Text columns of the labelled file, if the user named them.
        join: What stands between the texts of several columns that are one text.
        separator: What stands between several labels that are one text.
        form: Encoding, delimiter, quotes and header.

    Raises:
        DataError: A row has no answer, one of other classes, probabilities that are negative or do not add up
            to 1, or there are no rows; with the location of the row.
    """
    rows = open_rows(path, form, same_keys=False)
    table = TextTable(rows=rows, columns=text_columns_like(rows, spec, text, join), join=join)
    reader = AnswerReader(rows, spec, separator)
    keys, values = bytearray(), array("d")  # not lists of objects, which are ten times as large
    for row in rows.read():
        keys += _key(tuple(" ".join(one.split()) for one in table.texts(row)))
        values.extend(reader.logits(row, rows.location(row.number)))
    if not keys:
        raise DataError(f"{path} has no answers. Name a file with texts and an answer for each.")
    found, places, counts = np.unique(_keys(keys), return_inverse=True, return_counts=True)
    logits = np.zeros((len(found), spec.num_classes))
    np.add.at(logits, places, np.frombuffer(values).reshape(len(places), -1))
    return TeacherAnswers(
        source=str(path),
        fingerprint=file_fingerprint(path),
        kind=reader.kind,
        keys=found,
        logits=(logits / counts[:, None]).astype(np.float32),
        repeated=len(places) - len(found),
    )
