"""Texts without labels and answers of a teacher, for `distill` from Python."""

from collections.abc import Sequence
from pathlib import Path

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.data.files.formats import open_rows
from lmdistill.data.files.table_format import TableFormat
from lmdistill.data.tasks.column_inference import text_columns
from lmdistill.data.tasks.subsample import with_train_subset
from lmdistill.data.tasks.task import Task
from lmdistill.data.tasks.teacher_answers import TeacherAnswers, read_answers
from lmdistill.data.tasks.unlabelled import read_unlabelled, rest_of, with_unlabelled


def subset(task: Task, size: int | float, *, seed: int = 0) -> Task:
    """The task with a random part of its training examples, as `data.rows` and `data.fraction` choose it.

    Args:
        task: From `load_task`.
        size: A share in (0, 1] if it is a float, a number of rows >= 1 if it is an int.
        seed: Seed of the choice, >= 0.

    Raises:
        ConfigError: If `size` is out of range.
        DataError: If only one class would be left.
    """
    return with_train_subset(task, size, seed=seed)


def add_unlabelled(
    task: Task, *sources: str | Path | Task, text: str | Sequence[str] = (), join: str | None = None
) -> Task:
    """The task with texts that only teacher terms see, after its training examples.

    Left out and counted in `notes` are texts of dev and test, nearly equal ones, labelled ones and repeats.

    Args:
        task: The task with its labelled examples.
        sources: Files of texts, or a task, for its training examples that are not in `task`; labels are not
            read.
        text: Text columns of the files; by default those of the task.
        join: What stands between the texts of several columns that are one text.

    Raises:
        ConfigError: If there are no sources.
        DataError: If a file cannot be read, or no text of a source is left.

    Examples:
        >>> import lmdistill as ld
        >>> whole = ld.load_task("sst2", "glue_data")  # doctest: +SKIP
        >>> task = ld.add_unlabelled(ld.subset(whole, 0.1), whole, "texts.csv")  # doctest: +SKIP
    """
    if not sources:
        raise ConfigError("add_unlabelled got no texts. Name files, or a task with more training examples.")
    rows = []
    for source in sources:
        if isinstance(source, Task):
            rows.append((f"the rest of {source.source}", rest_of(source.train, task.train)))
        else:
            columns = _columns_of(Path(source), text, join)
            found = read_unlabelled(Path(source), task.spec, text=columns, join=join, form=TableFormat())
            rows.append((str(source), found))
    return with_unlabelled(task, rows)


def load_answers(
    path: str | Path,
    task: Task,
    *,
    text: str | Sequence[str] = (),
    join: str | None = None,
    label_separator: str | None = None,
) -> TeacherAnswers:
    """Answers of any teacher, for `distill`: probabilities, logits, labels or votes of a file.

    Args:
        path: JSON lines, JSON, CSV, TSV or Parquet with texts and an answer for each. `distill` joins them to
            the texts of its task, never by the order of rows.
        task: The task, whose classes the answers must have.
        text: Text columns of the file; by default those of the task.
        join: What stands between the texts of several columns that are one text.
        label_separator: What stands between several labels that are one text.

    Raises:
        DataError: If a row has no answer, or one of other classes.
    """
    columns = _columns_of(Path(path), text, join)
    return read_answers(
        Path(path), task.spec, text=columns, join=join, separator=label_separator, form=TableFormat()
    )


def _columns_of(path: Path, text: str | Sequence[str], join: str | None) -> tuple[str, ...]:
    """The text columns that the user names, which the file must have; () if none are named."""
    if not text:
        return ()
    fields = open_rows(path, TableFormat(), same_keys=False).fieldnames
    try:
        return text_columns(fields, text, joined=join is not None)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
