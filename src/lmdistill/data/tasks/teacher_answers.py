"""A file of a teacher's answers: for each text probabilities, logits, a label, or those of several judges.

Answers are joined to the examples of a task by their texts, never by the order of rows. They become logits:

- `logits` are taken as they are;
- probabilities p become log max(p, 1e-6), minus their mean: a softmax turns that into p again. Methods that
  compare logits compare these;
- a label is the probability 1 of its class, and the labels of several judges are shares of their votes.
"""

import hashlib
import math
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from jaxtyping import Float, Shaped

from lmdistill.core.errors import DataError
from lmdistill.core.fingerprint import file_fingerprint
from lmdistill.data.files.formats import open_rows
from lmdistill.data.files.table import Row, Rows
from lmdistill.data.files.table_format import TableFormat
from lmdistill.data.tasks.label_matching import normalized_name
from lmdistill.data.tasks.task_spec import TaskSpec
from lmdistill.data.tasks.text_table import TextTable
from lmdistill.data.tasks.unlabelled import text_columns_like

FLOOR = 1e-6
"""Smallest probability; an answer that is certain would have an infinite logit."""

TOLERANCE = 0.02
"""How far the sum of probabilities may be from 1: they may be rounded."""

LEAST_JOINED = 0.5
"""Smallest share of the training texts that must have an answer."""

KEY_BYTES = 16
"""Size of the hash of a text."""

SCORES = ("score", "predicted", "label")
"""Columns with the score of a regression; the first one that there is counts."""

TABLES, LISTS, LABELS = ("probabilities", "logits"), ("labels", "votes"), ("answer", "predicted", "label")
"""Columns with numbers of each class, with the labels of several judges, and with one label."""

PREFIXES: Mapping[str, str] = {"p_": "probabilities", "prob_": "probabilities", "logit_": "logits"}
"""Beginnings of columns with the number of one class, as `lmdistill predict` writes them."""


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
    path: Path, spec: TaskSpec, *, text: Sequence[str] = (), join: str | None = None, form: TableFormat
) -> TeacherAnswers:
    """Read a file of answers.

    Args:
        path: JSON lines, JSON, CSV, TSV or Parquet.
        spec: The task, whose classes the answers must have.
        text: Text columns of the labelled file, if the user named them.
        join: What stands between the texts of several columns that are one text.
        form: Encoding, delimiter, quotes and header.

    Raises:
        DataError: A row has no answer, one of other classes, probabilities that are negative or do not add up
            to 1, or there are no rows; with the location of the row.
    """
    rows = open_rows(path, form, same_keys=False)
    table = TextTable(rows=rows, columns=text_columns_like(rows, spec, text, join), join=join)
    reader = _AnswerReader(rows, spec)
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


class _AnswerReader:
    """Finds the answer of a row in the columns of a table."""

    def __init__(self, rows: Rows, spec: TaskSpec) -> None:
        self._spec, self._rows = spec, rows
        self._names = {normalized_name(name): number for number, name in enumerate(spec.labels)}
        self.kind, self._column = self._found()

    def _found(self) -> tuple[str, str]:
        """The kind of answers, and the column or the beginning of the columns that has them."""
        fields = self._rows.fieldnames
        if self._spec.kind == "regression":
            found = [("scores", name) for name in SCORES if name in fields]
        else:
            found = [(name, name) for name in TABLES if name in fields]
            found += [(kind, begin) for begin, kind in PREFIXES.items() if any(map(_begins(begin), fields))]
            if set(self._names) <= set(map(normalized_name, fields)):
                found.append(("probabilities", ""))
            found += [("votes", name) for name in LISTS if name in fields]
            found += [("labels", name) for name in LABELS if name in fields]
        if found:
            return found[0]
        raise DataError(
            f"{self._rows.name} has no answers: its columns are {', '.join(fields)}. Add one that is called "
            "probabilities, logits, labels or label, or one for each of "
            f"{', '.join(self._spec.labels)}."
        )

    def logits(self, row: Row, location: str) -> Float[np.ndarray, " v"]:
        """The logits of a row."""
        if self.kind == "scores":
            return np.array([_finite(row.fields.get(self._column, ""), location, self._column)])
        if self.kind in TABLES:
            values = self._by_class(self._cells(row, location), location)
            return values if self.kind == "logits" else _log_probabilities(values, location)
        return _log_probabilities(self._shares(row, location), location)

    def _cells(self, row: Row, location: str) -> Mapping[str, Any] | Sequence[Any]:
        """The numbers of a row: by class, or in the order of the classes."""
        if self._column in TABLES:
            value = (row.values or row.fields).get(self._column)
            if isinstance(value, Mapping) or (isinstance(value, list | tuple) and value):
                return value
            raise DataError(
                f"{location}: {self._column} is {value!r}, where an object or a list of numbers is needed."
            )
        fields = {name: value for name, value in row.fields.items() if name.startswith(self._column)}
        named = {name.removeprefix(self._column): value for name, value in fields.items()}
        return {
            name: value
            for name, value in named.items()
            if self._column or normalized_name(name) in self._names
        }

    def _by_class(self, cells: Mapping[str, Any] | Sequence[Any], location: str) -> Float[np.ndarray, " v"]:
        """The numbers in the order of the task's classes."""
        labels = self._spec.labels
        if not isinstance(cells, Mapping):
            if len(cells) != len(labels):
                raise DataError(
                    f"{location}: there are {len(cells)} numbers, and the task has {len(labels)} classes: "
                    f"{', '.join(labels)}."
                )
            return np.array([_finite(value, location, self._column) for value in cells])
        numbers = {
            self._class_of(name, location): _finite(value, location, name) for name, value in cells.items()
        }
        missing = [name for number, name in enumerate(labels) if number not in numbers]
        if missing:
            raise DataError(
                f"{location}: there is no number for {', '.join(missing)}. Every class needs one."
            )
        return np.array([numbers[number] for number in range(len(labels))])

    def _shares(self, row: Row, location: str) -> Float[np.ndarray, " v"]:
        """Shares of the votes of one or several judges."""
        value = (row.values or row.fields).get(self._column)
        if isinstance(value, Mapping):
            value = list(value.values())
        names = [str(one) for one in value] if isinstance(value, list | tuple) else [str(value or "")]
        votes = np.zeros(len(self._spec.labels))
        for name in names:
            votes[self._class_of(name, location)] += 1
        if not votes.sum():
            raise DataError(f"{location}: {self._column} is empty. Remove the row, or fill it in.")
        return np.asarray(votes / votes.sum())

    def _class_of(self, name: str, location: str) -> int:
        """The number of a class."""
        number = self._names.get(normalized_name(str(name)))
        if number is None:
            raise DataError(
                f"{location}: the answer is about {name!r}, which is no class of {self._spec.name}: "
                f"{', '.join(self._spec.labels)}. Use answers for these classes."
            )
        return number


def _begins(beginning: str) -> Callable[[str], bool]:
    """Whether a name has this beginning."""
    return lambda name: name.startswith(beginning)


def _finite(value: Any, location: str, name: str) -> float:
    """A finite number."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"{location}: {name or 'an answer'} is {value!r}, where a finite number is needed.")
    return number


def _log_probabilities(values: Float[np.ndarray, " v"], location: str) -> Float[np.ndarray, " v"]:
    """Centred log-probabilities, with the floor `FLOOR`."""
    if (values < 0).any():
        raise DataError(f"{location}: a probability is {values.min():g}, which is negative. Correct the row.")
    if abs(values.sum() - 1) > TOLERANCE:
        raise DataError(
            f"{location}: the probabilities add up to {values.sum():g}, not to 1. Correct the row."
        )
    logs = np.log(np.maximum(values / values.sum(), FLOOR))
    return np.asarray(logs - logs.mean())
