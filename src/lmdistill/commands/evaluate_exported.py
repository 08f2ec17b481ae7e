"""Evaluation of an exported classifier on the dev splits of a task, without torch."""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lmdistill.commands.evaluated import Evaluated, score_split
from lmdistill.core.errors import ConfigError, MismatchError, UnknownNameError
from lmdistill.data.load_task import load_task
from lmdistill.data.tasks.plain_rows import labels_of, texts_of
from lmdistill.data.tasks.task import Task
from lmdistill.recipes.yaml_tables import override
from lmdistill.serving.manifest import Manifest, read_manifest
from lmdistill.serving.predictor import load_predictor


def evaluate_exported(
    folder: str | Path, overrides: Sequence[str] = (), *, graph: str | None = None
) -> list[Evaluated]:
    """The task's metrics of an exported classifier on every dev split.

    Args:
        folder: What `lmdistill export` wrote.
        overrides: `task=...` and `data.key=value`, to evaluate on other data than those of the export.
        graph: Name of the graph; the folder's default if None.

    Raises:
        ConfigError: If the task is not known, or an override is of something else.
        MismatchError: If the model has other labels than the task.
        ModelError: If the folder cannot be read, or the model gives no number for an example.
    """
    manifest = read_manifest(Path(folder))
    task = _task(str(folder), manifest, overrides)
    labels = task.spec.labels if task.spec.kind != "regression" else ()
    if tuple(map(str, labels)) != manifest.answers.labels:
        theirs, ours = (
            ", ".join(names) or "a score" for names in (map(str, labels), manifest.answers.labels)
        )
        raise MismatchError(
            f"{folder} answers {ours}, and the task has {theirs}. Set data.source to rows with its labels, "
            "and data.labels to their order."
        )
    predictor = load_predictor(folder, graph=graph)
    found = []
    for name in task.spec.splits:
        rows = task.split(name)
        logits = predictor.logits(*texts_of(rows, pair=task.is_pair))
        found.append(
            score_split(
                str(folder),
                "the student",
                name,
                task.spec,
                labels_of(rows),
                logits,
                thresholds=manifest.answers.thresholds,
            )
        )
    return found


def _task(folder: str, manifest: Manifest, overrides: Sequence[str]) -> Task:
    """The task of the export, with the user's changes."""
    data = dict(manifest.origin.data)
    table: dict[str, Any] = {"task": manifest.origin.task, "data": {"source": data.pop("data", None), **data}}
    for text in overrides:
        override(table, text)
    strange = sorted(set(table) - {"task", "data"})
    if strange:
        raise ConfigError(f"{strange[0]} has no effect on an exported model; task and data can be set.")
    if table["task"] is None:
        raise ConfigError(
            f"{folder} was exported without a task. Add --set task=NAME, and --set data.source=... for a "
            "folder or a file."
        )
    settings = dict(table["data"])
    source = settings.pop("source", None)
    known = set(inspect.signature(load_task).parameters) - {"name", "data", "seed"}
    for key in settings:
        if key not in known:
            raise UnknownNameError("setting of the data of an exported model", key, known)
    return load_task(str(table["task"]), None if source == "hub" else source, **settings)
