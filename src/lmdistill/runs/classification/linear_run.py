"""The run of a linear model: train, save, evaluate, record. It is no `Stage`, which trains a network."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from lmdistill.core.atomic_io import write_text
from lmdistill.core.progress import announce
from lmdistill.data.tasks.collator import rows_in_words
from lmdistill.data.tasks.plain_rows import Texts, labels_of, texts_of
from lmdistill.data.tasks.task import Task, has_label
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.distributed import on_main_process
from lmdistill.engine.training_settings import Training
from lmdistill.evaluation.efficiency import LATENCY_BATCHES
from lmdistill.evaluation.process_memory import disk_bytes
from lmdistill.evaluation.timing import latency_on_cpu
from lmdistill.linear.classifier import LinearClassifier, save_linear
from lmdistill.methods import TFIDF
from lmdistill.models import model_stats
from lmdistill.models.classifier import Network
from lmdistill.recipes.serialization import changed, plain
from lmdistill.records.disagreements import DISAGREEMENTS, write_disagreements
from lmdistill.records.environment import describe_environment
from lmdistill.records.integrity import run_checksums
from lmdistill.records.predictions import PREDICTIONS, write_predictions
from lmdistill.records.record import Record, read_record, write_record
from lmdistill.records.schema import Latency, NetworkFacts
from lmdistill.report.model_card import model_card
from lmdistill.runs.classification.costs import TimedNetwork, cost, of_network, typical_rows
from lmdistill.runs.classification.dataset import EncodedSplit, EncodedTask, encode_task
from lmdistill.runs.classification.evaluation import (
    LATENCY_PRECISION,
    LATENCY_RUNS,
    DevOutputs,
    disagreements,
    predictions,
    task_facts,
)
from lmdistill.runs.classification.linear_model import (
    TrainedLinear,
    linear_logits,
    linear_parameters,
    require_kind_of,
    train_linear,
)
from lmdistill.runs.classification.quality import quality
from lmdistill.runs.classification.risk import risk_of, risk_rows
from lmdistill.runs.classification.seen_texts import teacher_sources, write_seen_texts
from lmdistill.runs.classification.stage_adapter import ClassificationAdapter
from lmdistill.runs.classification.stand_in import cost_of_teacher
from lmdistill.runs.run_folder import RunFolder
from lmdistill.runs.teacher_terms import teacher_terms
from lmdistill.runs.write_report import complete, write_pages


@dataclass(frozen=True, kw_only=True)
class LinearRun:
    """One run of a linear model; a seed changes nothing but its name."""

    name: str
    """Label in tables."""

    seed: int
    """Seed, for the record."""

    method: TFIDF
    """The settings of the model."""

    adapter: ClassificationAdapter
    """The task, and what stands in for a teacher that is not one network."""

    teacher: Network | None
    """Teaches, if the method has a teacher term, and is evaluated beside the model."""

    teacher_folder: Path | None = None
    """Where the teacher is saved, for its size on disk; None if it is not."""

    training: Training = field(default_factory=Training)
    """Of its settings the weights of the classes count; the others are those of networks."""

    folder: Path
    """The run folder."""

    recipe: Mapping[str, Any]
    """The resolved recipe, for the record."""

    command: str
    """The command line, for the record."""

    @property
    def is_taught(self) -> bool:
        """Whether there is a teacher, at least to be evaluated beside the model."""
        return self.teacher is not None or self.adapter.stand_in is not None

    @property
    def title(self) -> str:
        """What the user sees of the run while it goes on."""
        return f"{self.name} (seed {self.seed})"


def run_linear(run: LinearRun) -> Record:
    """Train, save, evaluate and record a linear model; or read a finished run.

    Returns:
        The record that is now in `run.folder`.

    Raises:
        RunError: If the folder holds another run.
        ConfigError: If the task has other outputs than classes or scores.
        DataError: If there is nothing to learn from.
    """
    folder = RunFolder(path=run.folder)
    require_kind_of(run.adapter.task)
    inputs = {
        "data": run.adapter.fingerprint,
        "student": "tfidf",
        "teacher": "none" if run.teacher is None else model_stats.fingerprint(run.teacher),
    }
    on_main_process(lambda: folder.require(run.recipe, inputs))
    if folder.is_finished:
        on_main_process(lambda: complete(folder.path))
        return read_record(folder.path)
    data = _view(run)
    answers = _answers(run, data) if run.method.uses_teacher else None  # where all processes are
    on_main_process(lambda: _train_and_record(run, folder, inputs, data, answers))
    return read_record(folder.path)


def _view(run: LinearRun) -> EncodedTask:
    """The task in tokens of the teacher; without one in words, of which only the number is used."""
    task, stand_in = run.adapter.task, run.adapter.stand_in
    reader = run.teacher if stand_in is None else stand_in.reader
    if reader is not None:
        data = encode_task(task, reader, None, max_length=run.adapter.max_length)
        splits = {name: replace(split, truncated=0.0) for name, split in data.dev.items()}
        return replace(data, train=replace(data.train, truncated=0.0), dev=splits)
    return EncodedTask(
        task=task,
        train=_in_words(task, "train"),
        dev={name: _in_words(task, name) for name in task.spec.splits},
    )


def _in_words(task: Task, name: str) -> EncodedSplit:
    """A split with the number of its words as lengths, and without tokens."""
    return EncodedSplit(student=rows_in_words(task.split(name)), teacher=None, truncated=0.0)


def _answers(run: LinearRun, data: EncodedTask) -> Float[np.ndarray, "n v"] | None:
    """Logits of the teacher for the training texts: from what stands in for it, a store, or computed now."""
    adapter = run.adapter
    if adapter.stand_in is not None:
        return adapter.stand_in.train_logits()
    if run.teacher is None:
        return None
    if adapter.outputs is not None:
        return adapter.outputs.of(run.teacher, data, adapter.max_length)
    device = _device()
    return data.train.logits(run.teacher.to(device), device)


def _device() -> str:
    """Where the teacher runs."""
    return str(make_accelerator(Training()).device)


def _train_and_record(
    run: LinearRun,
    folder: RunFolder,
    inputs: Mapping[str, str],
    data: EncodedTask,
    answers: Float[np.ndarray, "n v"] | None,
) -> None:
    """Train the model, save and evaluate it, and write the record last: it marks the run as finished."""
    trained = train_linear(
        data.task, run.method, answers, title=run.title, weights=run.training.class_weights
    )
    folder.claim(run.recipe, inputs)  # not before everything fits
    save_linear(trained.model, folder.student)
    announce(f"{run.title}: evaluating")
    outputs = _dev_outputs(run, data, trained.model)
    rows = predictions(data, outputs)
    record = Record(
        lmdistill=version("lmdistill"),
        kind="distill",
        name=run.name,
        seed=run.seed,
        method=plain(run.method),
        changed=changed(run.method),
        recipe=dict(run.recipe),
        command=run.command,
        environment=describe_environment(device=_device(), threads=torch.get_num_threads()),
        selected="last",
        training=trained.training,
        linear=trained.facts,
        task=task_facts(data),
        class_weights=data.class_weights(run.training),
        teacher_terms=teacher_terms(run.recipe) if run.is_taught else None,
        **({} if run.adapter.stand_in is None else run.adapter.stand_in.facts()),
        **_costs(run, data, trained),
        **_risk_and_quality(data, trained.model, outputs),
    )
    write_seen_texts(
        folder.path,
        data.task,
        taught=run.adapter.taught,
        teachers=teacher_sources(run.teacher, run.adapter.stand_in),
    )
    write_predictions(folder.path / PREDICTIONS, rows)
    write_disagreements(folder.path / DISAGREEMENTS, disagreements(data, rows, None))
    write_text(folder.student / "README.md", model_card(record))
    write_record(folder.path, record.model_copy(update={"files": run_checksums(folder.path)}))
    write_pages(folder.path)


def _dev_outputs(run: LinearRun, data: EncodedTask, model: LinearClassifier) -> DevOutputs:
    """Logits of the model and of its teacher on every dev split."""
    student = {name: linear_logits(model, _texts(data.task, name)) for name in data.dev}
    if run.adapter.stand_in is not None:
        return DevOutputs(student=student, teacher=run.adapter.stand_in.dev_logits())
    if run.teacher is None:
        return DevOutputs(student=student, teacher=None)
    name, known = model_stats.fingerprint(run.teacher), run.adapter.known_logits
    if name not in known:
        device = _device()
        teacher = run.teacher.to(device)
        known[name] = {split: rows.logits(teacher, device) for split, rows in data.dev.items()}
    return DevOutputs(student=student, teacher=known[name])


def _texts(task: Task, name: str) -> Texts:
    """The texts of a split."""
    return texts_of(task.split(name), pair=task.is_pair)


def _risk_and_quality(data: EncodedTask, model: LinearClassifier, outputs: DevOutputs) -> dict[str, Any]:
    """The fields of a record on quality and generalization gap."""
    rows = np.flatnonzero(has_label(data.train.labels))
    sample = data.task.train.select(rows[risk_rows(len(rows))])
    ours = linear_logits(model, texts_of(sample, pair=data.task.is_pair))
    first = outputs.student[next(iter(data.dev))]
    return {"risk": risk_of(data, labels_of(sample), ours, first), **quality(data, outputs, None)}


def _costs(run: LinearRun, data: EncodedTask, trained: TrainedLinear) -> dict[str, Any]:
    """Size and latency of the model and of its teacher, which are timed one after the other."""
    place, model = RunFolder(path=run.folder).student, trained.model
    facts = NetworkFacts(
        source="TF-IDF features",
        layers=0,
        parameters=linear_parameters(model),
        disk_bytes=disk_bytes(place),
        fingerprint=model.fingerprint,
        latency=_latencies(data, model),
    )
    return {"student": facts, "teacher": cost_of_teacher(_teacher_parts(run, data), run.adapter.stand_in)}


def _teacher_parts(run: LinearRun, data: EncodedTask) -> list[NetworkFacts]:
    """The cost of each network of the teacher."""
    split, parts, device = next(iter(data.dev.values())), list[TimedNetwork](), _device()
    if run.adapter.stand_in is not None:
        parts = list(run.adapter.stand_in.parts())
    elif run.teacher is not None:
        parts = [of_network(run.teacher, split, run.teacher_folder)]
    for part in parts:
        part.network.to(device)
    return cost(parts[0], parts[1:], len(split.labels), device) if parts else []


def _latencies(data: EncodedTask, model: LinearClassifier) -> dict[str, Latency]:
    """Latency by batch size for dev texts of about median length, from text to logits."""
    name, split = next(iter(data.dev.items()))
    found = {}
    for size in (size for size in LATENCY_BATCHES if size <= len(split.labels)):
        middle = typical_rows(split.lengths, size)
        first, second = texts_of(data.task.split(name).select(middle), pair=model.features.pairs)
        found[str(size)] = latency_on_cpu(
            partial(model.logits, first, second),
            batch_size=size,
            tokens=int(split.lengths[middle].max()),
            threads=torch.get_num_threads(),
            runs=LATENCY_RUNS,
            precision=LATENCY_PRECISION,
        )
    return found
