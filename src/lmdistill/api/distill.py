"""Distillation from Python: `distill`, `finetune` and the finished `Run`."""

import tempfile
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Generic, Literal, cast, overload

from lmdistill.api.corpus import Corpus
from lmdistill.api.described_run import described_run
from lmdistill.api.distill_language import distill_texts, finetune_texts
from lmdistill.api.distill_linear import distill_linear
from lmdistill.api.teachers import AnyTeacher, kind_of, stand_in_for
from lmdistill.core.errors import ConfigError, MismatchError
from lmdistill.core.protocols import Method
from lmdistill.data.tasks.task import Task
from lmdistill.engine.distributed import broadcast_from_main, one_writer, process_state
from lmdistill.engine.training_settings import Training
from lmdistill.linear.classifier import LinearClassifier, load_linear
from lmdistill.methods import ATKD, TFIDF, AnyMethod, MixKD
from lmdistill.models.causal_lm import AnyNetwork, LanguageNetwork
from lmdistill.models.classifier import Network
from lmdistill.models.loading.causal_lm import load_causal
from lmdistill.models.loading.classifier import load
from lmdistill.recipes.classifier import Teacher
from lmdistill.records.record import Record, read_record
from lmdistill.runs.classification.origin import origin_of_loaded
from lmdistill.runs.classification.quality import require_labels_for
from lmdistill.runs.classification.stage_adapter import ClassificationAdapter
from lmdistill.runs.classification.teacher import prepare_teacher
from lmdistill.runs.stage import Stage, run_stage

MAX_LENGTH = 128
"""Longest input of a classifier in tokens, by default."""


@dataclass(frozen=True)
class Run(Generic[AnyNetwork]):
    """A finished run, of a classifier or of a language model."""

    folder: Path
    """The run folder."""

    @cached_property
    def record(self) -> Record:
        """The contents of `record.json`."""
        return read_record(self.folder)

    @cached_property
    def student(self) -> AnyNetwork:
        """The trained student; see `linear` for the method `TFIDF`."""
        load_it = load_causal if self.record.task.kind == "language" else load
        return cast(AnyNetwork, load_it(self.folder / "student"))

    @cached_property
    def linear(self) -> LinearClassifier:
        """The trained linear model, of a run of the method `TFIDF`."""
        return load_linear(self.folder / "student")

    @property
    def metrics(self) -> dict[str, float | None]:
        """The task's metrics on the headline dev split: fractions, and nats and perplexity of texts."""
        return next(iter(self.record.metrics.values()))

    @property
    def speedup(self) -> float | None:
        """How many times faster than its teacher the student answers one example; None without a teacher.

        A language model answers a dev passage of median length with the next token.
        """
        record = self.record
        if record.teacher is None:
            return None
        return record.teacher.latency["1"].p50_ms / record.student.latency["1"].p50_ms


def distill(
    teacher: AnyNetwork | AnyTeacher | None,
    data: Task | Corpus,
    *,
    student: AnyNetwork | None = None,
    out: str | Path,
    method: AnyMethod | None = None,
    training: Training | None = None,
    max_length: int | None = None,
    labelled_per_batch: int | None = None,
    threshold: float | Literal["dev"] = 0.5,
) -> Run[AnyNetwork]:
    """Distil `teacher` into `student`, which is trained in place; or continue, or read, the run in `out`.

    Args:
        teacher: A classifier with the task's classes in the task's order, or a language model with the
            student's tokenizer; an `Ensemble` of classifiers; a `PromptedTeacher`; answers from
            `load_answers`; None for methods that need none.
        data: From `load_task`; for language models from `load_texts`.
        student: For example `truncate(teacher, layers=3)`; none for the method `TFIDF`, which makes its own.
        out: The run folder: a new one, or that of an interrupted or finished run of the same inputs.
        method: The distillation method; `MixKD()` by default, or `ATKD()` for language models. `TFIDF()`
            trains a linear model, `run.linear`.
        training: Training settings with the seed; by default those of a recipe.
        max_length: Longest input of a classifier in tokens, >= 3; 128 by default. Not for texts.
        labelled_per_batch: Rows with a label in each batch of a task with others, in [1, batch size). By
            default both are shuffled together.
        threshold: Probability from which on each label of a multi-label task is predicted, in (0, 1); or
            "dev" for the one with the best F1 of each label on dev.

    Returns:
        The run: `run.metrics`, `run.speedup`, `run.student`, `run.record`.

    Raises:
        RunError: If `out` holds another run, or another command writes into it.
        MismatchError: If networks, method and data do not fit.
        ConfigError: For a `max_length` with texts, or a method for the other kind of network.
        DataError: If less than half of the training texts have an answer.
        DivergedError: If the loss stops being a number.
    """
    folder = Path(out)
    if isinstance(method, TFIDF):
        if student is not None:
            raise ConfigError("method TFIDF makes its own student. Leave student out.")
        settings, length = training or Training(), _length(max_length)
        distill_linear(teacher, data, method=method, out=folder, training=settings, max_length=length)
        return Run(folder)
    if student is None:
        raise ConfigError("student is missing. Give one, as in student=truncate(teacher, layers=3).")
    if isinstance(data, Corpus):
        _require_no_length(max_length)
        if isinstance(teacher, AnyTeacher):
            raise MismatchError(
                f"the data are texts and the teacher is {kind_of(teacher)}. Use one language model."
            )
        if threshold != 0.5:
            raise ConfigError(f"threshold is {threshold}, which is for labels, and the data are texts.")
        ours, theirs = _kept(student, LanguageNetwork, "student"), _kept(teacher, LanguageNetwork, "teacher")
        assert ours is not None
        with one_writer(folder):
            distill_texts(theirs, data, student=ours, out=folder, method=method or ATKD(), training=training)
    else:
        one = _kept(student, Network, "student")
        other = teacher if isinstance(teacher, AnyTeacher) else _kept(teacher, Network, "teacher")
        assert one is not None
        require_labels_for(threshold, data)
        adapter = ClassificationAdapter(
            task=data,
            max_length=_length(max_length),
            labelled_per_batch=labelled_per_batch,
            threshold=threshold,
        )
        with one_writer(folder):
            _distill_task(other, adapter, one, folder, method or MixKD(), training or Training())
    return Run(folder)


def _distill_task(
    teacher: Network | AnyTeacher | None,
    adapter: ClassificationAdapter,
    student: Network,
    out: Path,
    method: Method,
    training: Training,
) -> None:
    """Distil a classifier."""
    task, network = adapter.task, None
    adapter = replace(adapter, origin=None if student is teacher else origin_of_loaded(student.source))
    if isinstance(teacher, AnyTeacher):
        length = adapter.max_length
        stand_in, outputs, notes = stand_in_for(teacher, task, method, max_length=length, out=out)
        told = task.with_train(task.train, *notes) if notes else task
        adapter = replace(adapter, task=told, stand_in=stand_in, outputs=outputs)
    else:
        network = teacher
    stage = Stage(
        kind="distill",
        name=type(method).__name__,
        student=student,
        teacher=network,
        method=method,
        training=training,
        adapter=adapter,
        folder=out,
        recipe=described_run(adapter, teacher, student, method, training),
        command="lmdistill.distill(...)",
    )
    run_stage(stage)


@overload
def finetune(
    model: str | Path,
    data: Task,
    *,
    training: Training | None = None,
    max_length: int | None = None,
    cache: str | Path | None = None,
) -> Network: ...


@overload
def finetune(
    model: str | Path,
    data: Corpus,
    *,
    training: Training | None = None,
    cache: str | Path | None = None,
) -> LanguageNetwork: ...


def finetune(
    model: str | Path,
    data: Task | Corpus,
    *,
    training: Training | None = None,
    max_length: int | None = None,
    cache: str | Path | None = None,
) -> Network | LanguageNetwork:
    """Fine-tune a teacher: a classifier on a task, or a language model on texts.

    A classifier with a head for the task is returned as it is; language models are always trained.

    Args:
        model: Hub id or folder of an encoder; with texts, of a causal language model.
        data: From `load_task`; for language models from `load_texts`.
        training: By default three epochs; a classifier keeps its best weights on dev, a language model the
            last.
        max_length: Longest input of a classifier in tokens, >= 3; 128 by default. Not for texts.
        cache: Folder of fine-tuned teachers; the same inputs are not trained twice. None keeps nothing.

    Returns:
        The classifier, its classes in the task's order; or the language model.

    Raises:
        ModelError: If the model cannot be loaded.
        MismatchError: If it has a head for other classes.
        ConfigError: For a `max_length` with texts.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(broadcast_from_main(scratch) if cache is None else cache)
        if isinstance(data, Corpus):
            _require_no_length(max_length)
            network: Network | LanguageNetwork = finetune_texts(model, data, training=training, cache=folder)
        else:
            network = _finetune_task(str(model), data, training, _length(max_length), folder)
        process_state().wait_for_everyone()  # until all have read it
    return network


def _finetune_task(
    model: str, task: Task, training: Training | None, max_length: int, cache: Path
) -> Network:
    """Fine-tune a classifier."""
    settings = Teacher(model=model) if training is None else Teacher(model=model, training=training)
    command = "lmdistill.finetune(...)"
    prepared = prepare_teacher(settings, task, max_length=max_length, cache=cache, command=command)
    assert prepared.network is not None  # settings name no answers
    return prepared.network


def _kept(network: Network | LanguageNetwork | None, kind: type[AnyNetwork], role: str) -> AnyNetwork | None:
    """Check that `network`, if there is one, is of the kind that the data are for."""
    if network is None or isinstance(network, kind):
        return network
    wanted, there = ("texts", "classifier") if kind is LanguageNetwork else ("a task", "language model")
    other = "load_task" if kind is LanguageNetwork else "load_texts"
    raise MismatchError(
        f"the data are {wanted} and the {role} {network.source} is a {there}. Load the data with {other}, or "
        "use another model."
    )


def _length(given: int | None) -> int:
    """Longest input of a classifier."""
    return MAX_LENGTH if given is None else given


def _require_no_length(max_length: int | None) -> None:
    """Refuse a length for texts, which were cut when they were loaded."""
    if max_length is not None:
        raise ConfigError(
            f"max_length is {max_length}, and texts are cut as they were loaded. Give it to load_texts."
        )
