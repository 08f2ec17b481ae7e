"""Distillation from Python: objects in, a run out."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from lmdistill.core.types import Method
from lmdistill.data.tasks import Task
from lmdistill.engine.processes import shared, together
from lmdistill.engine.training import Training
from lmdistill.methods import MixKD
from lmdistill.models.load import load
from lmdistill.models.network import Network
from lmdistill.recipes.construct import plain
from lmdistill.recipes.schema import Teacher
from lmdistill.recipes.stage import Stage, run_stage
from lmdistill.recipes.teacher import ready_teacher
from lmdistill.report.record import Record, read_record


@dataclass(frozen=True)
class Run:
    """A finished run."""

    folder: Path
    """Where it lies."""

    @cached_property
    def record(self) -> Record:
        """Everything that was written down about it."""
        return read_record(self.folder)

    @cached_property
    def student(self) -> Network:
        """The trained student."""
        return load(self.folder / "student")

    @property
    def metrics(self) -> dict[str, float | None]:
        """The task's metrics on the headline dev split, as fractions."""
        return next(iter(self.record.metrics.values()))

    @property
    def speedup(self) -> float | None:
        """How many times faster than its teacher the student answers one example; None without a teacher."""
        record = self.record
        if record.teacher is None:
            return None
        return record.teacher.latency["1"].p50_ms / record.student.latency["1"].p50_ms


def distill(
    teacher: Network | None,
    task: Task,
    *,
    student: Network,
    out: str | Path,
    method: Method | None = None,
    training: Training | None = None,
    max_length: int = 128,
) -> Run:
    """Train `student`, in place, to do `task` like `teacher`; or continue, or read, the run in `out`.

    Args:
        teacher: A classifier with the task's classes in the task's order; None for methods that need none.
        task: From `load_task`.
        student: For example `truncate(teacher, layers=3)`.
        out: The run's folder; made here, or an interrupted run of the same inputs.
        method: `MixKD()` unless given.
        training: `Training()` unless given; holds the seed.
        max_length: Longest input in tokens, >= 3.

    Returns:
        The run: `run.metrics`, `run.speedup`, `run.student`, `run.record`.

    Raises:
        RunError: If `out` holds another run.
        MismatchError: If networks, method and task do not fit.
        DivergedError: If the loss stops being a number.
    """
    method, training = method or MixKD(), training or Training()
    stage = Stage(
        kind="distill",
        name=type(method).__name__,
        task=task,
        student=student,
        teacher=teacher,
        method=method,
        training=training,
        max_length=max_length,
        folder=Path(out),
        recipe=_described(task, teacher, student, method, training, max_length),
        command="lmdistill.distill(...)",
    )
    run_stage(stage)
    return Run(Path(out))


def finetune(
    model: str | Path,
    task: Task,
    *,
    training: Training | None = None,
    max_length: int = 128,
    cache: str | Path | None = None,
) -> Network:
    """A classifier for `task`: `model` as it is if it has a head for it, fine-tuned on the labels if not.

    Args:
        model: Hub id or folder of an encoder.
        task: From `load_task`.
        training: Unless given, three epochs, best on dev.
        max_length: Longest input in tokens, >= 3.
        cache: Folder that keeps fine-tuned teachers; the same inputs give the same folder, and are not
            trained twice. Without one, nothing is kept.

    Returns:
        The classifier, its classes in the task's order.

    Raises:
        ModelError: If the model cannot be loaded.
        MismatchError: If it has a head for other classes.
    """
    settings = Teacher(model=str(model)) if training is None else Teacher(model=str(model), training=training)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(shared(scratch) if cache is None else cache)
        found = ready_teacher(
            settings, task, max_length=max_length, cache=folder, command="lmdistill.finetune(...)"
        )
        together().wait_for_everyone()  # until all have read it
    return found.network


def _described(
    task: Task,
    teacher: Network | None,
    student: Network,
    method: Method,
    training: Training,
    max_length: int,
) -> Mapping[str, Any]:
    """What stands in for the recipe of a run that was started from Python."""
    return {
        "task": task.spec.name,
        "data": {"source": task.source, "max_length": max_length},
        "teacher": None if teacher is None else {"model": teacher.source},
        "student": {"model": student.source, "layers": student.num_layers},
        "methods": {type(method).__name__: plain(method)},
        "training": plain(replace(training, seed=0)),
        "seeds": [training.seed],
    }
