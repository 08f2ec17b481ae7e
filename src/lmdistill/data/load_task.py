"""`load_task`: load a classification or regression task from the hub, a folder or the user's own file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.data.files.table_format import TableFormat
from lmdistill.data.synthetic.reviews import reviews_task
from lmdistill.data.tasks.column_choices import DEV_FRACTION, ColumnChoices
from lmdistill.data.tasks.custom_files import load_custom_files
from lmdistill.data.tasks.glue_folder import load_folder
from lmdistill.data.tasks.hub import load_glue, load_hub
from lmdistill.data.tasks.metric_choice import metric_names, with_metrics
from lmdistill.data.tasks.task import Task
from lmdistill.data.tasks.task_spec import SYNTHETIC, TASKS, TaskSpec, task_named

__all__ = ["Task", "load_task"]


def load_task(
    name: str,
    data: str | Path | None = None,
    *,
    dev: str | Path | float = DEV_FRACTION,
    test: str | Path | None = None,
    text: str | int | Sequence[str | int] | None = None,
    join: str | None = None,
    label: str | int | Sequence[str | int] | None = None,
    label_separator: str | None = None,
    kind: str | None = None,
    labels: Sequence[str | int] | Mapping[str | int, str] | None = None,
    drop: Sequence[str] = (),
    encoding: str | None = None,
    delimiter: str | None = None,
    quote: str | None = None,
    header: bool = True,
    metrics: str | Sequence[str] | None = None,
    seed: int = 0,
) -> Task:
    """Load a task with its examples, as memory-mapped files in the cache of `datasets`.

    Args:
        name: Name of a GLUE task (a key of `TASKS`); "synthetic" for generated reviews; "own" for your own
            file; "owner/name" or "owner/name:config" for a data set of the hub; or a folder that `datasets`
            can read.
        data: For a GLUE task, a folder in the official or the plain layout; None or "hub" loads from the
            hub. For "own", the training file. Otherwise None.
        dev: For your own data, the dev file, or the fraction in (0, 1) of the training rows to hold out.
        test: For your own file, a file with labelled test examples; for another data set, the name of such a
            split. They are scored at the end and choose nothing: the first dev split does.
        text: For your own data, the text column, two for sentence pairs, or several with `join`; None
            infers it. Without a header, columns are called by their numbers from 1.
        join: For your own data, what stands between the texts of several columns that are one text.
        label: For your own data, the label column, or several columns of 0 and 1, one for each of several
            labels of a text; None infers it.
        label_separator: For your own data, what stands between several labels that are one text.
        kind: For your own data, "classification", "multilabel" (any number of labels a text) or "regression";
            None infers it.
        labels: For your own data, the label names in order, or a mapping from labels in the file to names in
            order; None takes the labels of the file, sorted.
        drop: For your own data, rows to drop and count: "empty" (text), "unlabelled", "duplicates" (the text
            of an earlier row, or of a dev row).
        encoding: For your own file, its encoding; None is UTF-8.
        delimiter: For your own CSV or TSV file, the character between columns; None infers it.
        quote: For your own CSV or TSV file, the character around texts, or "" for none; None infers it.
        header: For your own CSV or TSV file, whether the first line has the column names.
        metrics: Names of `METRICS`; the first is the headline, which selects the best weights and is compared
            in tables. None takes the usual ones of the task.
        seed: For your own data, the random seed of the held-out rows.

    Returns:
        The task. What was inferred, dropped or counted is in its notes and in the log.

    Raises:
        UnknownNameError: There is no task of this name.
        DataError: A file, column or row cannot be used; the message has its location.
        ConfigError: An argument does not apply to this source, or is outside its range.
    """
    form = TableFormat(encoding=encoding, delimiter=delimiter, quote=quote, header=header)
    choices = {
        "text": _column_names(text),
        "join": join,
        "label": _label_columns(label),
        "label_separator": label_separator,
        "kind": kind,
        "labels": _label_names(labels),
        "drop": tuple(drop) or None,
        "test": None if test is None else str(test),
    }
    chosen = {option: value for option, value in choices.items() if value is not None}
    names = metric_names(metrics)
    return with_metrics(_loaded(name, data, dev, form, {**chosen, "seed": seed}), names)


def _loaded(
    name: str, data: str | Path | None, dev: str | Path | float, form: TableFormat, choices: dict[str, Any]
) -> Task:
    """The task with its usual metrics."""
    if name == "own":
        if data is None:
            raise ConfigError(
                "the task 'own' needs a file (CSV, TSV, JSON or Parquet). Set data.source to it; in Python, "
                "give data=FILE."
            )
        return load_custom_files(data, dev, form=form, **choices)
    if form != TableFormat():
        raise ConfigError(
            f"{name} is no file of yours, so data.encoding, data.delimiter, data.quote and data.header have "
            "no effect. Leave them out, or use the task 'own'."
        )
    given = [option for option in choices if option != "seed"]
    if name in TASKS:
        return _glue(task_named(name), data, [*given, *(["dev"] if dev != DEV_FRACTION else [])])
    if name == SYNTHETIC.name:
        return _synthetic(data, choices.get("test"))
    return _hub(name, data, dev, choices)


def _column_names(text: str | int | Sequence[str | int] | None) -> tuple[str, ...] | None:
    """Names of text columns; numbers are names too."""
    if text is None:
        return None
    return tuple(str(name) for name in ([text] if isinstance(text, str | int) else text))


def _label_columns(label: str | int | Sequence[str | int] | None) -> str | tuple[str, ...] | None:
    """Name of the label column, or names of several; numbers are names too."""
    if label is None or isinstance(label, str | int):
        return None if label is None else str(label)
    return tuple(str(name) for name in label)


def _label_names(
    labels: Sequence[str | int] | Mapping[str | int, str] | None,
) -> tuple[str, ...] | dict[str, str] | None:
    """Label names as texts."""
    if isinstance(labels, Mapping):
        return {str(text): str(name) for text, name in labels.items()}
    return tuple(str(name) for name in labels) if labels else None


def _hub(name: str, data: str | Path | None, dev: str | Path | float, choices: Mapping[str, Any]) -> Task:
    """A task from a data set of the hub or a folder that `datasets` can read."""
    if "/" not in name and not Path(name).is_dir():
        task_named(name)  # raises, with the nearest name
    if data not in (None, "hub"):
        raise ConfigError(
            f"{name} names a data set, so data.source {str(data)!r} has no effect. Leave it out."
        )
    if not isinstance(dev, float):
        raise ConfigError(f"{name} has its own splits, so data.dev {str(dev)!r} has no effect. Leave it out.")
    columns = {option: value for option, value in choices.items() if option != "test"}
    return load_hub(name, ColumnChoices(dev_fraction=dev, **columns), choices.get("test")).log_notes()


def _synthetic(data: str | Path | None, test: str | None) -> Task:
    """The task of generated reviews."""
    for option, value in (("source", data), ("test", test)):
        if value is not None:
            raise ConfigError(
                f"the task 'synthetic' generates its texts, so data.{option} {str(value)!r} has no effect. "
                "Leave it out."
            )
    return reviews_task()


def _glue(spec: TaskSpec, data: str | Path | None, given: list[str]) -> Task:
    """A GLUE task from the hub or a folder."""
    if given:
        names = ", ".join(f"data.{option}" for option in given)
        raise ConfigError(
            f"{spec.name} is a GLUE task whose columns are known, so {names} cannot be set. "
            "For your own file use the task 'own'."
        )
    if data in (None, "hub"):
        return load_glue(spec).log_notes()
    folder = Path(str(data))
    if not folder.exists() and len(folder.parts) == 1:
        raise DataError(f"the data folder {folder} does not exist. Set data.source to a folder or to 'hub'.")
    return load_folder(spec, folder).log_notes()
