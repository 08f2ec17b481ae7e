"""Reading of a teacher's answer to one text: probabilities, logits, a label, or those of several judges."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from lmdistill.core.errors import DataError
from lmdistill.data.files.table import Row, Rows
from lmdistill.data.tasks.label_matching import normalized_name
from lmdistill.data.tasks.label_set_answers import label_logits, label_shares
from lmdistill.data.tasks.label_sets import LabelSetFormat
from lmdistill.data.tasks.task_spec import TaskSpec

FLOOR = 1e-6
"""Smallest probability; an answer that is certain would have an infinite logit."""

TOLERANCE = 0.02
"""How far the sum of probabilities may be from 1: they may be rounded."""

SCORES = ("score", "predicted", "label")
"""Columns with the score of a regression; the first one that there is counts."""

TABLES, LISTS, LABELS = ("probabilities", "logits"), ("labels", "votes"), ("answer", "predicted", "label")
"""Columns with numbers of each class, with the labels of several judges, and with one label."""

PREFIXES: Mapping[str, str] = {"p_": "probabilities", "prob_": "probabilities", "logit_": "logits"}
"""Beginnings of columns with the number of one class, as `lmdistill predict` writes them."""


class AnswerReader:
    """Finds the answer of a row in the columns of a table.

    Args:
        rows: The table.
        spec: The task.
        separator: What stands between several labels that are one text.
    """

    def __init__(self, rows: Rows, spec: TaskSpec, separator: str | None) -> None:
        self._spec, self._rows, self._separator = spec, rows, separator
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
            return values if self.kind == "logits" else self._as_logits(values, location)
        return self._as_logits(self._shares(row, location), location)

    def _as_logits(self, values: Float[np.ndarray, " v"], location: str) -> Float[np.ndarray, " v"]:
        """Logits of probabilities of classes, or of each of several labels."""
        if self._spec.kind == "multilabel":
            return label_logits(values, location, FLOOR)
        return _log_probabilities(values, location)

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
        if self._spec.kind == "multilabel":
            form = LabelSetFormat(columns=(self._column,), separator=self._separator)
            return label_shares(row, location, form, self._class_of, len(self._spec.labels))
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
