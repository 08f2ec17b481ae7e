"""The map of representations of a run: dev examples in two dimensions, for student and teacher."""

import numpy as np
from jaxtyping import Float, Int

from lmdistill.core.errors import ConfigError
from lmdistill.core.progress import track
from lmdistill.data.tasks.task import Task
from lmdistill.evaluation.representations import (
    evenly_spaced_rows,
    project_2d,
    projection_for,
    silhouette,
    spread_ratio,
    states_of,
)
from lmdistill.models.classifier import Network
from lmdistill.recipes.representation_map import Map
from lmdistill.records.representation_map import MapPoint
from lmdistill.records.schema import MapFacts, Separation
from lmdistill.runs.classification.dataset import EncodedTask

DIGITS = 4
"""Decimals of the stored coordinates."""


def require_classes(settings: Map | None, task: Task) -> None:
    """Check that a map is asked only of a task with classes.

    Raises:
        ConfigError: If one is asked for, and the task has scores.
    """
    if settings is not None and task.spec.kind != "classification":
        said = "scores" if task.spec.kind == "regression" else "several labels a text"
        raise ConfigError(
            f"map is for tasks with classes and {task.spec.name} has {said}. Leave it out, or set map=null."
        )


def project(
    data: EncodedTask, settings: Map, student: Network, teacher: Network | None, device: str
) -> tuple[list[MapPoint], MapFacts]:
    """The map of a run, and how far apart its classes lie before anything is project_2d.

    Args:
        data: Where the examples come from.
        settings: Which of them, and how.
        student: On `device`.
        teacher: On `device`, or None.
        device: Where they run.

    Returns:
        A point for each example, and the facts for the record.
    """
    name, whole = next(iter(data.dev.items()))
    rows = evenly_spaced_rows(len(whole.labels), settings.examples)
    split = whole.select(rows.tolist())
    labels, points, facts = split.labels, {}, {}
    for who, net in {"student": student, "teacher": teacher}.items():
        if net is not None:
            batches = track(split.batches(), f"reading the states of the {who}")
            states = states_of(net, batches, device=device, as_teacher=who == "teacher", pool=settings.pool)
            points[who] = project_2d(states, settings.projection)
            facts[who] = _separation(states, labels)
    places = [
        MapPoint(
            example=int(row),
            split=name,
            label=int(labels[at]),
            student=_point(points["student"][at]),
            teacher=_point(points["teacher"][at]) if "teacher" in points else None,
        )
        for at, row in enumerate(rows)
    ]
    return places, MapFacts(
        split=name,
        examples=len(rows),
        pool=settings.pool,
        projection=projection_for(settings.projection, len(rows)),
        student=facts["student"],
        teacher=facts.get("teacher"),
    )


def _separation(states: Float[np.ndarray, "b d"], labels: Int[np.ndarray, " b"]) -> Separation:
    """Silhouette and spread ratio of the classes."""
    return Separation(silhouette=silhouette(states, labels), spread_ratio=spread_ratio(states, labels))


def _point(values: Float[np.ndarray, " 2"]) -> tuple[float, float]:
    """Both coordinates, rounded to `DIGITS` decimals so that pages are the same on all machines."""
    across, up = (round(float(value), DIGITS) for value in values)
    return across, up
