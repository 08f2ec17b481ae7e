"""Reading of the label of a row: a class number, a score, or a row of 0 and 1."""

import math
from collections.abc import Collection, Sequence

from lmdistill.core.errors import DataError
from lmdistill.data.files.table import Row
from lmdistill.data.tasks.label_inference import require_single_label
from lmdistill.data.tasks.label_matching import normalized_name
from lmdistill.data.tasks.label_sets import LabelSetFormat
from lmdistill.data.tasks.task_spec import TASKS, TaskSpec

Label = float | int | list[int]
"""A class number, a score, or 0 and 1 for each label."""


class LabelNumbers:
    """Text of a label in a file -> class number, by the rule of `normalized_name`.

    Exact names come first: the labels of the task, what the file writes for them, and for GLUE tasks also
    their numbers. A text that fits several labels in another spelling fits none.
    """

    def __init__(self, spec: TaskSpec, aliases: Collection[tuple[str, str]]) -> None:
        names = {name: number for number, name in enumerate(spec.labels)}
        numbers = {str(number): number for number in range(len(spec.labels))} if spec.name in TASKS else {}
        self._exact = {**numbers, **names, **{text: names[label] for text, label in aliases}}
        self._loose: dict[str, set[int]] = {}
        for text, number in self._exact.items():
            self._loose.setdefault(normalized_name(text), set()).add(number)

    def get(self, text: str) -> int | None:
        """The class number of a label; None if there is no such label."""
        if text not in self._exact:
            numbers = self._loose.get(normalized_name(text), set())
            if len(numbers) != 1:
                return None
            self._exact[text] = next(iter(numbers))
        return self._exact[text]


class LabelReader:
    """Reads the labels of the rows of a table.

    Args:
        spec: The task.
        aliases: (text in the file, label) of labels that the file writes in another way.
        column: The label column; None for rows without labels.
        missing: Texts in it that stand for a missing label.
        sets: How the table writes several labels; None if a text has one.
    """

    def __init__(
        self,
        spec: TaskSpec,
        aliases: Collection[tuple[str, str]],
        *,
        column: str | None,
        missing: frozenset[str] = frozenset(),
        sets: LabelSetFormat | None = None,
    ) -> None:
        self._spec, self._column, self._missing, self._sets = spec, column, missing, sets
        self._numbers = LabelNumbers(spec, aliases)

    @property
    def none(self) -> Label:
        """The value of a row without a label; for a score, -1 too, as in the test files of GLUE."""
        return [-1] * len(self._spec.labels) if self._spec.kind == "multilabel" else -1

    def read(self, row: Row, location: str) -> Label | None:
        """The label of a row; None if it has none.

        Raises:
            DataError: The cell holds something else, or the task has no such label; with the location.
        """
        if self._sets is not None:
            names = self._sets.names(row, location)
            return None if names is None else self._row(names, location)
        if self._column is None:
            return None
        require_single_label(row, self._column, location)
        text = row.fields.get(self._column, "").strip()
        if not text or text in self._missing:
            return None
        if self._spec.kind == "regression":
            return _score(text, location, self._spec)
        return self._class(text, location)

    def _row(self, names: Sequence[str], location: str) -> list[int]:
        """0 and 1 for each label of the task."""
        found = {self._class(name, location) for name in names}
        return [int(number in found) for number in range(len(self._spec.labels))]

    def _class(self, text: str, location: str) -> int:
        """The class number of a label; an error if the task has no such label."""
        number = self._numbers.get(text)
        if number is None:
            advice = "" if self._spec.name in TASKS else ", or name all labels in data.labels"
            raise DataError(
                f"{location}: the label {text!r} is unknown; known: {', '.join(self._spec.labels)}. "
                f"Correct the row{advice}."
            )
        return number


def _score(text: str, location: str, spec: TaskSpec) -> float:
    """The score of a regression task as a number; an error if it is none or outside the range of the task."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    low, high = spec.score_range or (-math.inf, math.inf)
    if not math.isfinite(value) or not low <= value <= high:
        wanted = f"a number between {low:g} and {high:g}" if spec.score_range else "a finite number"
        raise DataError(
            f"{location}: the score is {text!r}, where {wanted} is needed. Correct or remove the row."
        )
    return value
