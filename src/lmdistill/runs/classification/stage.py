"""One training run, from two networks and a task to a finished folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch

from lmdistill.core.atomic_io import write_text
from lmdistill.core.protocols import Method, Net
from lmdistill.data.tasks.task import Task
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.callbacks import FitResult
from lmdistill.engine.distributed import on_main_process
from lmdistill.engine.training_settings import Training
from lmdistill.evaluation.classification import score
from lmdistill.export.hugging_face import has_modeling_file, save
from lmdistill.models.classifier import Network
from lmdistill.models.model_stats import fingerprint
from lmdistill.recipes.parsing import changed, plain
from lmdistill.recipes.representation_map import Map
from lmdistill.records.disagreements import DISAGREEMENTS, write_disagreements
from lmdistill.records.environment import describe_environment
from lmdistill.records.predictions import PREDICTIONS, write_predictions
from lmdistill.records.record import Record, read_record, write_record
from lmdistill.records.representation_map import MAP, write_map
from lmdistill.records.schema import MapFacts
from lmdistill.records.schema import Training as TrainingFacts
from lmdistill.report.model_card import model_card
from lmdistill.runs.classification.dataset import EncodedTask, prepare
from lmdistill.runs.classification.evaluation import (
    cost,
    disagreements,
    predict_dev,
    predictions,
    quality,
    risk,
    task_facts,
)
from lmdistill.runs.classification.representation_map import project
from lmdistill.runs.lineage import Lineage, accounted
from lmdistill.runs.run_folder import RunFolder
from lmdistill.runs.train import TrainJob, train
from lmdistill.runs.write_report import write_pages


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Who learns what from whom, and where it is written."""

    kind: Literal["finetune", "distill"]
    """What the run does."""

    name: str
    """Label in tables."""

    task: Task
    """What is learned."""

    student: Network
    """Who learns; changed in place."""

    teacher: Network | None
    """Who is imitated and compared with."""

    method: Method
    """How."""

    training: Training
    """How long, seed included."""

    max_length: int
    """Longest input in tokens."""

    folder: Path
    """Where everything is written."""

    teacher_folder: Path | None = None
    """Where the teacher is saved."""

    recipe: Mapping[str, Any]
    """The resolved recipe, for the record."""

    command: str
    """What was typed, for the record."""

    route: Lineage[Network] | None = None
    """How the student came here, where other stages came before."""

    map: Map | None = None
    """What its map shows, where one is wanted."""

    @property
    def compared(self) -> Network | None:
        """Whom the student is compared with: the teacher, or the first one of a schedule."""
        return self.teacher if self.route is None else self.route.reference


def run_stage(stage: Stage) -> Record:
    """Train, save, evaluate and record; or continue an interrupted run; or read a finished one.

    Returns:
        The record that is now in `stage.folder`.

    Raises:
        RunError: If the folder holds another run.
        MismatchError: If networks, method and task do not fit.
        DivergedError: If the loss stops being a number.
    """
    place = RunFolder(path=stage.folder)
    accelerator = make_accelerator(stage.training)
    inputs = _inputs(stage)
    on_main_process(lambda: place.require(stage.recipe, inputs))
    if place.is_finished:
        return read_record(place.path)
    stage.method.check(stage.student, stage.teacher)
    material = prepare(stage.task, stage.student, stage.teacher, max_length=stage.max_length)
    on_main_process(lambda: place.claim(stage.recipe, inputs))  # not before everything fits
    device = str(accelerator.device)
    course = TrainJob(
        method=stage.method,
        student=stage.student,
        teacher=stage.teacher,
        feed=material.feed(stage.method, stage.training),
        training=stage.training,
        title=f"{stage.name} (seed {stage.training.seed})",
        evaluate=lambda net: _headline(material, net, device),
    )
    trained = None if stage.route is None else stage.route.trained
    fitted = trained or train(course, place, accelerator)
    on_main_process(lambda: _finish(stage, place, material, fitted, device))
    return read_record(place.path)


def _inputs(stage: Stage) -> dict[str, str]:
    """Fingerprints of everything that a recipe only names."""
    teacher = "none" if stage.teacher is None else fingerprint(stage.teacher)
    return {"data": stage.task.fingerprint, "student": fingerprint(stage.student), "teacher": teacher}


def _headline(material: EncodedTask, net: Net, device: str) -> dict[str, float]:
    """The metrics of the first dev split; the first of them selects."""
    split = next(iter(material.dev.values()))
    return score(material.task.spec.metrics, split.labels, split.logits(net, device))


def _finish(stage: Stage, place: RunFolder, material: EncodedTask, fitted: FitResult, device: str) -> None:
    """Save the student, prove what it is worth, and write the record last: it says that the run is over."""
    save(stage.student, place.student)
    answers = predict_dev(material, stage.student, stage.compared, device)
    folders = {"student": place.student, "teacher": stage.teacher_folder}
    facts = cost(material, stage.student, stage.compared, folders, device)
    first = next(iter(material.dev))
    figures = quality(material, answers)  # before anything of it is drawn: it refuses what is no number
    record = Record(
        lmdistill=version("lmdistill"),
        kind=stage.kind,
        name=stage.name,
        seed=stage.training.seed,
        task=task_facts(material),
        method=plain(stage.method),
        changed=changed(stage.method),
        recipe=dict(stage.recipe),
        command=stage.command,
        environment=describe_environment(device=device, threads=torch.get_num_threads()),
        selected="dev-best" if stage.training.keep == "best" else "last",
        risk=risk(material, stage.student, answers.student[first], device),
        training=_work(stage, material, fitted),
        schedule=accounted(stage.route, fitted),
        map=_mapped(stage, place, material, device),
        **figures,
        **facts,
    )
    answered = predictions(material, answers)
    write_predictions(place.path / PREDICTIONS, answered)
    write_disagreements(place.path / DISAGREEMENTS, disagreements(material, answered))
    card = model_card(record, carried=has_modeling_file(place.student))
    write_text(place.student / "README.md", card)
    write_record(place.path, record)
    write_pages(place.path)
    place.clean()


def _mapped(stage: Stage, place: RunFolder, material: EncodedTask, device: str) -> MapFacts | None:
    """Draw the map, where one is wanted; what the record says of it."""
    if stage.map is None:
        return None
    places, facts = project(material, stage.map, stage.student, stage.compared, device)
    write_map(place.path / MAP, places)
    return facts


def _work(stage: Stage, material: EncodedTask, fitted: FitResult) -> TrainingFacts:
    """How much work the run was."""
    plan = material.feed(stage.method, stage.training).sampler
    epochs = fitted.steps / plan.steps_per_epoch
    here = (fitted.steps - fitted.resumed) / plan.steps_per_epoch * len(plan.lengths)
    return TrainingFacts(
        steps=fitted.steps,
        epochs=epochs,
        seconds=fitted.seconds,
        examples_per_second=here / fitted.seconds if here else None,
        resumed=fitted.resumed,
    )
