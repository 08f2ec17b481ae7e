"""`load_task`: load a classification or regression task from the hub, a folder or the user's own file."""

from collections.abc import Sequence
from pathlib import Path

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.data.synthetic.reviews import reviews_task
from lmdistill.data.tasks.custom_files import DEV_FRACTION, ColumnChoices, load_custom_files
from lmdistill.data.tasks.glue_folder import load_folder
from lmdistill.data.tasks.hub import load_glue, load_hub
from lmdistill.data.tasks.task import Task
from lmdistill.data.tasks.task_spec import SYNTHETIC, TASKS, TaskSpec, task_named

__all__ = ["Task", "load_task"]


def load_task(
    name: str,
    data: str | Path | None = None,
    *,
    dev: str | Path | float = DEV_FRACTION,
    text: str | Sequence[str] | None = None,
    label: str | None = None,
    kind: str | None = None,
    labels: Sequence[str] | None = None,
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
        text: For your own data, the text column, or two for sentence pairs; None infers it.
        label: For your own data, the label column; None infers it.
        kind: For your own data, "classification" or "regression"; None infers it.
        labels: For your own data, the label names in order; None sorts them.
        seed: For your own data, the random seed of the held-out rows.

    Returns:
        The task. What was inferred, dropped or counted is in its notes and in the log.

    Raises:
        UnknownNameError: There is no task of this name.
        DataError: A file, column or row cannot be used; the message has its location.
        ConfigError: An argument does not apply to this source.
    """
    own = {"text": text, "label": label, "kind": kind, "labels": labels}
    if name in TASKS:
        given = [option for option, value in own.items() if value is not None]
        given += ["dev"] if dev != DEV_FRACTION else []
        return _glue(task_named(name), data, given)
    if name == SYNTHETIC.name:
        return _synthetic(data)
    if name == "own":
        if data is None:
            raise ConfigError("the task 'own' needs a file. Set data=FILE (CSV, TSV, JSON lines or Parquet).")
        return load_custom_files(data, dev, text=text, label=label, kind=kind, labels=labels, seed=seed)
    if "/" not in name and not Path(name).is_dir():
        task_named(name)  # raises, with the nearest name
    if data not in (None, "hub"):
        raise ConfigError(f"{name} names a data set, so data={str(data)!r} has no effect. Leave it out.")
    if not isinstance(dev, float):
        raise ConfigError(f"{name} has its own splits, so dev={str(dev)!r} has no effect. Leave it out.")
    choices = ColumnChoices(text=text, label=label, kind=kind, labels=labels, dev_fraction=dev, seed=seed)
    return load_hub(name, choices).log_notes()


def _synthetic(data: str | Path | None) -> Task:
    """The task of generated reviews."""
    if data is not None:
        raise ConfigError(
            f"the task 'synthetic' generates its texts, so data={str(data)!r} has no effect. Leave it out."
        )
    return reviews_task()


def _glue(spec: TaskSpec, data: str | Path | None, given: list[str]) -> Task:
    """A GLUE task from the hub or a folder."""
    if given:
        raise ConfigError(
            f"{spec.name} is a GLUE task whose columns are known, so {', '.join(given)} cannot be set. "
            "For your own file use the task 'own'."
        )
    if data in (None, "hub"):
        return load_glue(spec).log_notes()
    folder = Path(str(data))
    if not folder.exists() and len(folder.parts) == 1:
        raise DataError(f"the data folder {folder} does not exist. Set data to a folder or to 'hub'.")
    return load_folder(spec, folder).log_notes()
