"""What stands in the record of a run from Python in place of its recipe."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lmdistill.api.teachers import AnyTeacher, described_teacher
from lmdistill.core.protocols import Method
from lmdistill.engine.training_settings import Training
from lmdistill.models.classifier import Network
from lmdistill.recipes.serialization import plain
from lmdistill.runs.classification.stage_adapter import ClassificationAdapter


def described_run(
    adapter: ClassificationAdapter,
    teacher: Network | AnyTeacher | None,
    student: Network,
    method: Method,
    training: Training,
) -> Mapping[str, Any]:
    """The description that replaces the recipe in the record of a run from Python."""
    task, chosen = adapter.task, {} if adapter.threshold == 0.5 else {"threshold": adapter.threshold}
    metrics = {"metrics": list(task.spec.chosen_metrics)} if task.spec.chosen_metrics else {}
    return {
        "task": task.spec.name,
        "data": {"source": task.source, "max_length": adapter.max_length, **metrics},
        "teacher": described_teacher(teacher),
        "student": {"model": student.source, "layers": student.num_layers, **chosen},
        "methods": {type(method).__name__: plain(method)},
        "training": plain(replace(training, seed=0)),
        "seeds": [training.seed],
    }
