"""Answers of a teacher about several labels of a text, as the logit of each label."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from lmdistill.core.errors import DataError
from lmdistill.data.files.table import Row, nested
from lmdistill.data.tasks.label_sets import LabelSetFormat, list_in

ClassOf = Callable[[str, str], int]
"""The number of a label, from its name and the location of the row; an error if there is no such label."""


def label_logits(
    probabilities: Float[np.ndarray, " v"], location: str, floor: float
) -> Float[np.ndarray, " v"]:
    """The logit of each probability, log(p / (1 - p)); a sigmoid turns it into p again.

    Args:
        probabilities: Of each label on its own; they need not add up to 1.
        location: Of the row, for messages.
        floor: Smallest distance of a probability to 0 and 1.

    Raises:
        DataError: One is not in [0, 1].

    Examples:
        >>> label_logits(np.array([0.5, 0.75]), "a.csv, line 2", 1e-6).round(4).tolist()
        [0.0, 1.0986]
    """
    outside = (probabilities < 0) | (probabilities > 1)
    if outside.any():
        raise DataError(
            f"{location}: a probability is {probabilities[outside][0]:g}, where a number in [0, 1] is "
            "needed. Correct the row."
        )
    kept = np.clip(probabilities, floor, 1 - floor)
    return np.asarray(np.log(kept) - np.log1p(-kept))


def label_shares(
    row: Row, location: str, form: LabelSetFormat, class_of: ClassOf, size: int
) -> Float[np.ndarray, " v"]:
    """The share of judges who gave each label: 0 or 1 for a single list of labels.

    Args:
        row: A row with a list of labels, a list of such lists, or an object from judges to lists.
        location: Of the row, for messages.
        form: The column, and what stands between labels that are one text.
        class_of: The number of a label.
        size: Number of labels.

    Raises:
        DataError: There is no answer, or one about another label.
    """
    (column,) = form.columns
    value = (row.values or row.fields).get(column)
    listed = list_in(value) if isinstance(value, str) else value
    judges = _judges(listed, form)
    if judges is None:
        single = form.names(row, location)
        if single is None:
            raise DataError(
                f"{location}: {column} is empty. Remove the row, or write [] for a text with none of the "
                "labels."
            )
        judges = [single]
    shares = np.zeros(size)
    for names in judges:
        for number in {class_of(str(name), location) for name in names}:
            shares[number] += 1 / len(judges)
    return shares


def _judges(value: Any, form: LabelSetFormat) -> list[Sequence[Any]] | None:
    """The labels that each judge gave; None if the cell is not about judges."""
    answers = list(value.values()) if isinstance(value, Mapping) else value
    if not isinstance(answers, list) or not answers:
        return None
    if not isinstance(value, Mapping) and not any(nested(answer) for answer in answers):
        return None
    return [_labels(answer, form) for answer in answers]


def _labels(answer: Any, form: LabelSetFormat) -> Sequence[Any]:
    """The labels of one judge."""
    if isinstance(answer, list | tuple):
        return answer
    text = str(answer).strip()
    listed = list_in(text)
    if listed is not None:
        return listed
    return [text] if form.separator is None else [part.strip() for part in text.split(form.separator)]
