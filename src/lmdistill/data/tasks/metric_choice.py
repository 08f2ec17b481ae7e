"""The metrics of a task as the user chooses them, in place of its usual ones."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lmdistill.core.errors import ConfigError, UnknownNameError
from lmdistill.data.tasks.subsample import labels_of
from lmdistill.data.tasks.task import Task
from lmdistill.metrics.classification import METRICS, require_suitable
from lmdistill.metrics.multi_label import MULTI_LABEL_METRICS, require_for_labels

log = logging.getLogger("lmdistill")


def metric_names(metrics: str | Sequence[str] | None) -> tuple[str, ...]:
    """Names of metrics, each once; () for the usual ones of a task.

    Raises:
        UnknownNameError: There is no such metric.
        ConfigError: A name occurs twice.
    """
    names = (metrics,) if isinstance(metrics, str) else tuple(metrics or ())
    for name in names:
        if name not in {**METRICS, **MULTI_LABEL_METRICS}:
            raise UnknownNameError("metric", name, {**METRICS, **MULTI_LABEL_METRICS})
    if len(set(names)) != len(names):
        raise ConfigError(f"data.metrics has a duplicate: {', '.join(names)}. Name each metric once.")
    return names


def with_metrics(task: Task, names: tuple[str, ...]) -> Task:
    """The task with these metrics, the headline first; it selects the best weights.

    A note says how many classes have no dev example, since they count as 0 in macro_f1.

    Args:
        task: The task with its usual metrics.
        names: See `metric_names`; () keeps the usual ones.

    Raises:
        ConfigError: A metric does not suit the task.
    """
    if not names:
        return task
    try:
        if task.spec.kind == "multilabel":
            require_for_labels(names)
        else:
            require_suitable(names, task.spec.num_classes)
    except ConfigError as error:
        said = str(error).replace("the network", task.spec.name)
        raise ConfigError(f"data.metrics: {said}") from None
    chosen = replace(task, spec=replace(task.spec, metrics=names))
    absent = _absent_classes(chosen)
    if not absent:
        return chosen
    note = f"{absent} of {task.spec.num_classes} classes have no dev example; they count with 0 in macro_f1"
    log.warning("%s: %s", task.spec.name, note)
    return replace(chosen, notes=(*task.notes, note))


def _absent_classes(task: Task) -> int:
    """Number of classes without examples in the first dev split if macro_f1 is a metric, else 0."""
    first = next(iter(task.spec.splits), "")
    if "macro_f1" not in task.spec.metrics or first not in task.splits:
        return 0
    labels = labels_of(task.split(first))
    found = int((labels > 0).any(axis=0).sum()) if labels.ndim == 2 else len(np.unique(labels))
    return task.spec.num_classes - found
