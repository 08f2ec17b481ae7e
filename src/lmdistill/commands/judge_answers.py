"""The answers that a student's are compared with: a column of a file, or a teacher that is asked now."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int

from lmdistill.core.errors import DataError, MismatchError
from lmdistill.data.files.table import Rows
from lmdistill.data.tasks.column_inference import label_columns
from lmdistill.data.tasks.label_matching import match_labels
from lmdistill.data.tasks.label_reading import LabelReader
from lmdistill.data.tasks.label_sets import LabelSetFormat
from lmdistill.data.tasks.task_spec import TASKS, USUAL_METRICS, TaskSpec
from lmdistill.metrics.multi_label import predicted_labels
from lmdistill.serving.certificate import Judge
from lmdistill.serving.manifest import Manifest

TEACHER_COLUMNS = ("teacher", "predicted")
"""Where a teacher's answers are looked for; `lmdistill predict` writes the second one."""

Classes = Int[np.ndarray, "n *labels"]
"""Class number of each text, or 0 and 1 for each of several labels."""


def answer_columns_of(
    rows: Rows, manifest: Manifest, against: Judge, column: str | None, texts: Sequence[str]
) -> tuple[str, ...]:
    """The column of a judge's answers, or the columns of 0 and 1 of several labels.

    Args:
        rows: The file.
        manifest: Of the student; its run's label columns are the default for labels.
        against: Whose answers.
        column: The column if it was named.
        texts: The text columns.

    Raises:
        DataError: There is no such column, or none that is one of answers.
    """
    known = manifest.origin.data.get("label")
    trained = tuple(known) if isinstance(known, list | tuple) else known
    if column is None and against == "teacher":
        found = [name for name in TEACHER_COLUMNS if name in rows.fieldnames]
        if not found:
            raise DataError(
                f"{rows.name} has no column of the teacher's answers ({' or '.join(TEACHER_COLUMNS)}). Name "
                "it with --answer, name the teacher with --teacher, or write them first: lmdistill predict "
                f"TEACHER {rows.name}."
            )
        return (found[0],)
    wanted = column if column is not None else trained
    if against == "labels" and column is None and trained is not None:
        columns = (trained,) if isinstance(trained, str) else trained
        wanted = trained if all(name in rows.fieldnames for name in columns) else None
    possible = [name for name in rows.fieldnames if column is not None or name not in TEACHER_COLUMNS]
    try:
        return label_columns(possible, wanted, tuple(texts), joined=len(texts) > 2)
    except DataError as error:
        said = str(error).replace("Set data.label to one of them", "Name it with --answer")
        raise DataError(f"{rows.name}: {said}") from None


def answers_in_file(rows: Rows, manifest: Manifest, columns: Sequence[str]) -> Classes:
    """The answers in columns of a file, in the order of its rows.

    Args:
        rows: The file.
        manifest: Of the student, whose labels are allowed. For GLUE tasks so are their numbers.
        columns: From `answer_columns_of`.

    Raises:
        DataError: A row has no answer, or one that is none of the student's labels; with its location.
    """
    answers, data = manifest.answers, manifest.origin.data
    task = manifest.origin.task or "own"
    spec = TaskSpec(
        name=task if task in TASKS else "own",
        kind=answers.kind,
        columns=("text",),
        labels=answers.labels,
        metrics=USUAL_METRICS[answers.kind],
    )
    renamed = data.get("labels")
    several = LabelSetFormat(columns=tuple(columns), separator=data.get("label_separator"))
    reader = LabelReader(
        spec,
        tuple(renamed.items()) if isinstance(renamed, Mapping) else (),
        column=columns[0],
        sets=several if answers.kind == "multilabel" else None,
    )
    found = []
    for row in rows.read():
        location = rows.location(row.number)
        read = reader.read(row, location)
        if read is None:
            raise DataError(f"{location}: {' and '.join(columns)} is empty. Fill it in, or remove the row.")
        found.append(read)
    return np.array(found, dtype=np.int64)


def answers_of_teacher(
    target: str, manifest: Manifest, first: list[str], second: list[str] | None
) -> Classes:
    """The answers of a teacher that is asked now.

    Args:
        target: A run folder, a model folder, a hub id.
        manifest: Of the student, whose labels the teacher must have, in any order.
        first: The texts, or the first text of each pair.
        second: The second text of each pair.

    Raises:
        MismatchError: The teacher has other labels, or answers with another number of labels a text.
        ModelError: It cannot be loaded.
    """
    from lmdistill.commands.open_model import open_model
    from lmdistill.commands.predict import answering, answers_of

    opened = open_model(target)
    theirs, ours = answers_of(opened.model), manifest.answers
    if theirs.kind != ours.kind:
        raise MismatchError(
            f"the teacher {target} is a model of {theirs.kind}, and the student one of {ours.kind}. Name a "
            "teacher of the same task."
        )
    order = list(match_labels(ours.labels, theirs.labels))
    logits = answering(opened)(first, second)[:, order]
    if not np.isfinite(logits).all():
        raise MismatchError(f"the teacher {target} gives logits that are no numbers. Use another one.")
    if ours.kind == "classification":
        return np.asarray(logits.argmax(axis=1))
    limits = None if theirs.thresholds is None else tuple(theirs.thresholds[number] for number in order)
    return predicted_labels(logits, limits).astype(np.int64)
