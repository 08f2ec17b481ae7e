"""What limits an audit or makes it useless: answers of another model or judge, and missing answers."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from lmdistill.analysis.count_tests import rise_p_value
from lmdistill.analysis.drift import LEAST_TEXTS
from lmdistill.commands.dated_answers import ANSWERS, DatedAnswers
from lmdistill.core.errors import DataError
from lmdistill.serving.answer_classes import answer_class
from lmdistill.serving.certificate import Judge

FEW, FEW_SHARE = 3, 0.01
"""Rows that may hold another answer than the student's now, whichever is more: numbers round differently on
other machines."""

OTHER_MODEL = 0.2
"""Share of such rows above which a file is of another model."""

LEAST_ANSWERED = 0.5
"""Share of rows that must have an answer of the judge, of all rows and of those that are deferred or not."""

SURE = 0.01
"""P-value below which answers are missing more often for texts of one kind."""


def other_judge_note(rows: DatedAnswers, against: Judge) -> str | None:
    """A sentence if the answers seem to be of another judge than the certificate's, else None."""
    others = {"teacher": "label", "labels": "teacher"}
    if rows.answer_column.lower() != others[against]:
        return None
    judge = "the teacher's answers" if against == "teacher" else "labels"
    return (
        f"the answers are read from {rows.answer_column!r}, and the certificate compares with {judge}; a "
        f"difference between the two looks like drift. Name another column with --answer, such as "
        f"{ANSWERS[against][1]}, if there is one."
    )


def other_model_note(
    rows: DatedAnswers, chosen: Sequence[frozenset[int]], labels: Sequence[str], model: str
) -> str | None:
    """A sentence if the file holds other answers of the student than it gives now, else None.

    Args:
        rows: The audit.
        chosen: Numbers of the labels that the student gives now, (n,).
        labels: Names of its labels.
        model: The student, for messages.

    Raises:
        DataError: If so many differ that the file must be of another model.
    """
    compared = [number for number, one in enumerate(rows.predicted) if one is not None]
    differing = [number for number in compared if rows.predicted[number] != chosen[number]]
    if len(differing) <= max(FEW, FEW_SHARE * len(compared)):
        return None
    first = differing[0]
    there, here = (answer_class(one[first] or (), labels) for one in (rows.predicted, chosen))
    said = (
        f"{len(differing):,} of {len(compared):,} answers in 'predicted' differ from those of {model}, first "
        f"at {rows.locations[first]}: {there} there, {here} here"
    )
    if len(differing) > OTHER_MODEL * len(compared):
        raise DataError(
            f"{said}. The file is of another model: name the folder that answered, or a graph with --graph."
        )
    return f"{said}. Check that the file is of this model; what is compared is what it answers now."


def missing_answers_note(rows: DatedAnswers, is_deferred: Bool[np.ndarray, " n"]) -> str | None:
    """A sentence about rows without an answer of the judge, which are left out; None if there are none.

    Args:
        rows: The audit.
        is_deferred: Whether the student leaves the text to its teacher.

    Raises:
        DataError: If too few rows have an answer, of all or of those that are deferred or not.
    """
    has_answer = np.array([one is not None for one in rows.answers])
    total, missing = len(has_answer), int((~has_answer).sum())
    place = f"{rows.source}: {missing:,} of {total:,} rows have no answer in {rows.answer_column!r}"
    if total - missing < max(LEAST_TEXTS, LEAST_ANSWERED * total):
        raise DataError(
            f"{place}; at least half of the rows, and {LEAST_TEXTS}, need one. Ask the judge about every row "
            "of the sample, or name the column of answers with --answer."
        )
    if not missing:
        return None
    kinds = {"are deferred": is_deferred, "the student answers itself": ~is_deferred}
    sides = {kind: (int(inside.sum()), int((inside & ~has_answer).sum())) for kind, inside in kinds.items()}
    shares = " and ".join(f"{lack:,} of {texts:,} texts that {kind}" for kind, (texts, lack) in sides.items())
    advice = "Ask the judge about every row of the sample."
    if any(texts >= LEAST_TEXTS and lack > (1 - LEAST_ANSWERED) * texts for texts, lack in sides.values()):
        raise DataError(
            f"{place}: {shares}. What has an answer is no uniform sample of the texts, so that nothing can "
            f"be said of them. {advice}"
        )
    one, other = sides.values()
    is_uneven = min(rise_p_value(one, other), rise_p_value(other, one)) < SURE / 2
    if not is_uneven:
        return f"{place}; they are left out"
    return f"{place}; they are left out, which changes the agreement: {shares} lack one. {advice}"
