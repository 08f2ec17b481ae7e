"""One training run of any kind of network: from a student and its data to a finished run folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, cast, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int

from lmdistill.core.atomic_io import write_text
from lmdistill.core.progress import announce
from lmdistill.core.protocols import Method, Net
from lmdistill.data.batching.dataloader import BatchLoader
from lmdistill.data.mixup import PAIRING
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.callbacks import FitResult
from lmdistill.engine.distributed import on_main_process
from lmdistill.engine.training_settings import Training
from lmdistill.export.hugging_face import has_modeling_file, save
from lmdistill.models.causal_lm import AnyNetwork
from lmdistill.models.model_stats import fingerprint
from lmdistill.recipes.serialization import changed, plain
from lmdistill.records.disagreements import DISAGREEMENTS, Text, write_disagreements
from lmdistill.records.environment import describe_environment
from lmdistill.records.integrity import run_checksums
from lmdistill.records.predictions import PREDICTIONS, Prediction, write_predictions
from lmdistill.records.record import Record, read_record, write_record
from lmdistill.records.schema import Training as TrainingFacts
from lmdistill.report.model_card import model_card
from lmdistill.runs.lineage import Lineage, schedule_facts
from lmdistill.runs.run_folder import RunFolder
from lmdistill.runs.teacher_terms import teacher_terms
from lmdistill.runs.train import TrainJob, train
from lmdistill.runs.write_report import complete, write_pages


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What a trained student is worth, in the parts of a run folder."""

    facts: Mapping[str, Any]
    """Fields of the record by name: task, metrics, teacher, costs."""

    predictions: Sequence[Prediction]
    """Outputs of student and teacher for each dev example."""

    disagreements: Sequence[Text]
    """Dev texts on which both differ most."""


@runtime_checkable
class EncodedData(Protocol[AnyNetwork]):
    """The data of a run in tokens."""

    def feed(self, method: Method, training: Training) -> BatchLoader:
        """The training batches."""
        ...

    def dev_scores(self, network: Net, device: str) -> Mapping[str, float]:
        """Dev metrics of a network by name; the first selects the best weights, and larger is better."""
        ...

    @property
    def num_train(self) -> int:
        """Number of training rows."""
        ...

    @property
    def labelled_rows(self) -> Int[np.ndarray, " k"]:
        """Numbers of the training rows that can judge a network: all but those without labels."""
        ...

    def select(self, train: Sequence[int], dev: Sequence[int]) -> "EncodedData[AnyNetwork]":
        """The training rows with these numbers as training data, and others of them as dev rows."""
        ...

    def loss(self, network: Net, device: str) -> float:
        """Mean loss of a network on the first dev split: nats, or the squared error of scores."""
        ...

    def evaluate(self, stage: "Stage[AnyNetwork]", device: str) -> Evaluation:
        """Evaluate the trained student of `stage`, which lies in `stage.student_folder` too."""
        ...


@runtime_checkable
class StageAdapter(Protocol[AnyNetwork]):
    """What a run does differently for classifiers and for language models."""

    @property
    def unit(self) -> Literal["examples", "tokens"]:
        """What the progress bar counts."""
        ...

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the training and dev data."""
        ...

    @property
    def stand_in(self) -> object | None:
        """Stands in for a teacher that is not one network, as a `Net`; None if one teaches, or nobody."""
        ...

    @property
    def saved_as(self) -> str | None:
        """Name of torch's type of the saved weights; None for that of the student."""
        ...

    def encode(self, student: AnyNetwork, teacher: AnyNetwork | None) -> EncodedData[AnyNetwork]:
        """The data as both networks read them.

        Raises:
            MismatchError: If a network does not fit the data.
        """
        ...

    def compact(
        self, stage: "Stage[AnyNetwork]", encoded: EncodedData[AnyNetwork]
    ) -> "tuple[Stage[AnyNetwork], EncodedData[AnyNetwork]]":
        """The stage with its trained student as it is saved, and the data as that one reads them.

        Raises:
            ModelError: If it cannot be made smaller as asked.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Stage(Generic[AnyNetwork]):
    """One training run: student, teacher, method, data and folder."""

    kind: Literal["finetune", "distill"]
    """Whether the student learns from labels alone or from a teacher too."""

    name: str
    """Label in tables."""

    student: AnyNetwork
    """Is trained in place."""

    teacher: AnyNetwork | None
    """Teaches, and is evaluated beside the student unless `lineage` names another reference."""

    method: Method
    """The training objective."""

    training: Training
    """Epochs, batch size, optimizer and seed."""

    adapter: StageAdapter[AnyNetwork]
    """The data, and how this kind of network is evaluated on them."""

    folder: Path
    """The run folder; an interrupted run in it is continued."""

    teacher_folder: Path | None = None
    """Where the teacher is saved, for its size on disk; None if it is not."""

    recipe: Mapping[str, Any]
    """The resolved recipe, for the record."""

    command: str
    """The command line, for the record."""

    lineage: Lineage[AnyNetwork] | None = None
    """The stages of a schedule before this one."""

    @property
    def taught_by(self) -> Net | None:
        """The teacher as methods see it."""
        return cast("Net | None", self.teacher or self.adapter.stand_in)

    @property
    def title(self) -> str:
        """What the user sees of the run while it goes on."""
        return f"{self.name} (seed {self.training.seed})"

    @property
    def reference(self) -> AnyNetwork | None:
        """The network that the student is compared with: the teacher, or the first teacher of a schedule."""
        return self.teacher if self.lineage is None else self.lineage.reference

    @property
    def student_folder(self) -> Path:
        """Where the trained student is saved."""
        return RunFolder(path=self.folder).student


def run_stage(stage: Stage[AnyNetwork]) -> Record:
    """Train, save, evaluate and record; or continue an interrupted run; or read a finished one.

    Returns:
        The record that is now in `stage.folder`.

    Raises:
        RunError: If the folder holds another run.
        MismatchError: If networks, method and data do not fit.
        DivergedError: If the loss stops being a number.
    """
    folder = RunFolder(path=stage.folder)
    accelerator = make_accelerator(stage.training)
    inputs = _input_fingerprints(stage)
    on_main_process(lambda: folder.require(stage.recipe, inputs))
    if folder.is_finished:
        on_main_process(lambda: complete(folder.path))
        return read_record(folder.path)
    stage.method.check(cast(Net, stage.student), stage.taught_by)
    encoded = stage.adapter.encode(stage.student, stage.teacher)
    on_main_process(lambda: folder.claim(stage.recipe, inputs))  # not before everything fits
    device = str(accelerator.device)
    job = TrainJob(
        method=stage.method,
        student=stage.student,
        teacher=stage.taught_by,
        feed=encoded.feed(stage.method, stage.training),
        training=stage.training,
        title=stage.title,
        unit=stage.adapter.unit,
        evaluate=lambda network: encoded.dev_scores(network, device),
    )
    trained = None if stage.lineage is None else stage.lineage.trained
    fitted = trained or train(job, folder, accelerator)
    on_main_process(lambda: _finish(stage, encoded, fitted, device))
    return read_record(folder.path)


def _input_fingerprints(stage: Stage[AnyNetwork]) -> dict[str, str]:
    """Fingerprints of everything that a recipe only names."""
    prints = {
        "data": stage.adapter.fingerprint,
        "student": fingerprint(stage.student),
        "teacher": "none" if stage.teacher is None else fingerprint(stage.teacher),
    }
    return prints if stage.method.mixing is None else {**prints, "mixup_pairs": PAIRING}


def _finish(
    stage: Stage[AnyNetwork], encoded: EncodedData[AnyNetwork], fitted: FitResult, device: str
) -> None:
    """Save and evaluate the student, and write the record last: it marks the run as finished."""
    folder, feed = RunFolder(path=stage.folder), encoded.feed(stage.method, stage.training)
    announce(f"{stage.title}: evaluating")
    stage, encoded = stage.adapter.compact(stage, encoded)
    save(stage.student, folder.student, dtype=stage.adapter.saved_as)
    evaluation = encoded.evaluate(stage, device)
    record = Record(
        lmdistill=version("lmdistill"),
        kind=stage.kind,
        name=stage.name,
        seed=stage.training.seed,
        method=plain(stage.method),
        changed=changed(stage.method),
        recipe=dict(stage.recipe),
        command=stage.command,
        environment=describe_environment(device=device, threads=torch.get_num_threads()),
        selected="dev-best" if stage.training.keep == "best" else "last",
        training=_training_facts(stage, feed, fitted),
        schedule=schedule_facts(stage.lineage, fitted),
        teacher_terms=teacher_terms(stage.recipe),
        **evaluation.facts,
    )
    write_predictions(folder.path / PREDICTIONS, evaluation.predictions)
    write_disagreements(folder.path / DISAGREEMENTS, evaluation.disagreements)
    write_text(folder.student / "README.md", model_card(record, carried=has_modeling_file(folder.student)))
    write_record(folder.path, record.model_copy(update={"files": run_checksums(folder.path)}))
    write_pages(folder.path)
    folder.clean()


def _training_facts(stage: Stage[AnyNetwork], feed: BatchLoader, fitted: FitResult) -> TrainingFacts:
    """Steps, epochs and seconds; examples a second of this process, where examples are counted."""
    timed = (fitted.steps - fitted.resumed) / feed.steps_per_epoch * len(feed.sampler.lengths)
    is_known = bool(timed) and stage.adapter.unit == "examples"
    return TrainingFacts(
        steps=fitted.steps,
        epochs=fitted.steps / feed.steps_per_epoch,
        seconds=fitted.seconds,
        examples_per_second=timed / fitted.seconds if is_known else None,
        resumed=fitted.resumed,
    )
