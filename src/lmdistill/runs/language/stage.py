"""One training run of a language model, from two networks and passages to a finished folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, cast

import torch

from lmdistill.core.atomic_io import write_text
from lmdistill.core.completions import completions_of
from lmdistill.core.protocols import Method, Net
from lmdistill.data.batching.dataloader import BatchLoader
from lmdistill.data.language.conversations import Conversations
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.distributed import on_main_process
from lmdistill.engine.training_settings import Training
from lmdistill.evaluation.language_modeling import language_scores
from lmdistill.export.hugging_face import has_modeling_file, save
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.lora import merge_lora
from lmdistill.models.model_stats import fingerprint
from lmdistill.recipes.parsing import changed, plain
from lmdistill.records.disagreements import DISAGREEMENTS, write_disagreements
from lmdistill.records.environment import describe_environment
from lmdistill.records.predictions import PREDICTIONS, write_predictions
from lmdistill.records.record import Record, read_record, write_record
from lmdistill.records.schema import ScheduleFacts
from lmdistill.records.schema import Training as TrainingFacts
from lmdistill.report.model_card import model_card
from lmdistill.runs.language.dataset import EncodedTexts
from lmdistill.runs.language.evaluation import (
    disagreements,
    language_cost,
    language_quality,
    language_task,
    written,
)
from lmdistill.runs.language.generation_prompts import GenerationPrompts
from lmdistill.runs.language.on_policy import sampled
from lmdistill.runs.lineage import Lineage, accounted
from lmdistill.runs.run_folder import RunFolder
from lmdistill.runs.train import TrainJob, train
from lmdistill.runs.write_report import write_pages


@dataclass(frozen=True, kw_only=True)
class LanguageStage:
    """Who learns what from whom, and where it is written."""

    kind: Literal["finetune", "distill"]
    """What the run does."""

    name: str
    """Label in tables."""

    texts: Conversations
    """Where the passages come from."""

    pages: EncodedTexts
    """The passages in tokens; those of training may have other completions than the texts."""

    student: LanguageNetwork
    """Who learns; changed in place."""

    teacher: LanguageNetwork | None
    """Who is imitated and compared with."""

    method: Method
    """How."""

    training: Training
    """How long, seed included."""

    writing: GenerationPrompts
    """What the student writes."""

    folder: Path
    """Where everything is written."""

    recipe: Mapping[str, Any]
    """The resolved recipe, for the record."""

    command: str
    """What was typed, for the record."""

    route: Lineage[LanguageNetwork] | None = None
    """How the student came here, where other stages came before."""

    @property
    def compared(self) -> LanguageNetwork | None:
        """Whom the student is compared with: the teacher, or the first one of a schedule."""
        return self.teacher if self.route is None else self.route.reference

    @property
    def feed(self) -> BatchLoader:
        """The batches of the run."""
        return sampled(
            self.pages.feed(self.method, self.training),
            completions_of(self.method),
            padding=self.pages.padding,
            seed=self.training.seed,
            begin=self.writing.begin,
        )


def run_language_stage(stage: LanguageStage, teacher_folder: Path | None = None) -> Record:
    """Train, save, evaluate and record; or continue an interrupted run; or read a finished one.

    Args:
        stage: Everything about the run.
        teacher_folder: Where the teacher is saved, for its size.

    Returns:
        The record that is now in `stage.folder`.

    Raises:
        RunError: If the folder holds another run.
        MismatchError: If networks and method do not fit.
        DivergedError: If the loss stops being a number.
    """
    place = RunFolder(path=stage.folder)
    accelerator = make_accelerator(stage.training)
    inputs = {
        "data": stage.texts.fingerprint,
        "student": fingerprint(stage.student),
        "teacher": "none" if stage.teacher is None else fingerprint(stage.teacher),
    }
    on_main_process(lambda: place.require(stage.recipe, inputs))
    if place.is_finished:
        return read_record(place.path)
    stage.method.check(cast(Net, stage.student), cast(Net, stage.teacher))
    on_main_process(lambda: place.claim(stage.recipe, inputs))
    device = str(accelerator.device)
    course = TrainJob(
        method=stage.method,
        student=stage.student,
        teacher=cast(Net, stage.teacher),
        feed=stage.feed,
        training=stage.training,
        title=f"{stage.name} (seed {stage.training.seed})",
        unit="tokens",
        evaluate=lambda net: _headline(stage, net, device),
    )
    trained = None if stage.route is None else stage.route.trained
    fitted = trained or train(course, place, accelerator)
    facts = TrainingFacts(
        steps=fitted.steps,
        epochs=fitted.steps / course.feed.steps_per_epoch,
        seconds=fitted.seconds,
        examples_per_second=None,
        resumed=fitted.resumed,
    )
    schedule = accounted(stage.route, fitted)
    on_main_process(lambda: _finish(stage, place, (facts, schedule), device, teacher_folder))
    return read_record(place.path)


def _headline(stage: LanguageStage, net: Net, device: str) -> dict[str, float]:
    """How well the dev passages are predicted; a larger first number is better."""
    found = language_scores(cast(LanguageNetwork, net), stage.pages.dev_batches(), device=device)
    return {"log_likelihood": -found.nats, "nats": found.nats, "accuracy": found.accuracy}


def _finish(
    stage: LanguageStage,
    place: RunFolder,
    facts: tuple[TrainingFacts, ScheduleFacts | None],
    device: str,
    teacher_folder: Path | None,
) -> None:
    """Save the student, prove what it is worth, and write the record last: it says that the run is over."""
    save(stage.student, place.student)
    student = merge_lora(stage.student)
    quality, predictions = language_quality(stage.pages, student, stage.compared, device)
    folders = {"student": place.student, "teacher": teacher_folder}
    record = Record(
        lmdistill=version("lmdistill"),
        kind=stage.kind,
        name=stage.name,
        seed=stage.training.seed,
        task=language_task(stage.texts, stage.pages, with_teacher=stage.teacher is not None),
        method=plain(stage.method),
        changed=changed(stage.method),
        recipe=dict(stage.recipe),
        command=stage.command,
        environment=describe_environment(device=device, threads=torch.get_num_threads()),
        selected="dev-best" if stage.training.keep == "best" else "last",
        training=facts[0],
        schedule=facts[1],
        **quality,
        **written(stage.writing, student, place.path, device),
        **language_cost(stage.pages, student, stage.compared, folders, device),
    )
    write_predictions(place.path / PREDICTIONS, predictions)
    quoted = disagreements(stage.pages, predictions, student.tokenizer)
    write_disagreements(place.path / DISAGREEMENTS, quoted)
    card = model_card(record, carried=has_modeling_file(place.student))
    write_text(place.student / "README.md", card)
    write_record(place.path, record)
    write_pages(place.path)
    place.clean()
