"""Training of a linear model from Python."""

from dataclasses import replace
from pathlib import Path

from lmdistill.api.corpus import Corpus
from lmdistill.api.teachers import AnyTeacher, described_teacher, require_labels_of, stand_in_for
from lmdistill.core.errors import ConfigError, MismatchError
from lmdistill.data.tasks.task import Task
from lmdistill.engine.distributed import one_writer
from lmdistill.engine.training_settings import Training
from lmdistill.methods import TFIDF
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.classifier import Network
from lmdistill.recipes.serialization import plain
from lmdistill.runs.classification.linear_run import LinearRun, run_linear
from lmdistill.runs.classification.stage_adapter import ClassificationAdapter
from lmdistill.runs.classification.teacher_outputs import NetworkOutputs


def distill_linear(
    teacher: Network | LanguageNetwork | AnyTeacher | None,
    task: Task | Corpus,
    *,
    method: TFIDF,
    out: Path,
    training: Training,
    max_length: int,
) -> None:
    """Train a linear model on a task into a run folder.

    Args:
        teacher: Teaches, if the method has a teacher term, and is evaluated beside the model.
        task: From `load_task`.
        method: The settings.
        out: The run folder.
        training: The seed, for the record, and the weights of the classes; its other settings are not used.
        max_length: Longest input of the teacher in tokens.

    Raises:
        ConfigError: If the data are texts, or a teacher is needed and there is none.
        RunError: If `out` holds another run, or another command writes into it.
        MismatchError: If the teacher is no classifier, or has other classes or another order.
    """
    if isinstance(task, Corpus):
        raise ConfigError("method TFIDF is for tasks, and the data are texts. Load the data with load_task.")
    if isinstance(teacher, LanguageNetwork):
        raise MismatchError(f"the teacher {teacher.source} is a language model. Use a classifier for a task.")
    if teacher is None and method.uses_teacher:
        raise ConfigError(f"alpha is {method.alpha:g} and there is no teacher. Give one, or set alpha=0.")
    outputs = NetworkOutputs(cache=out.parent / "teachers" / "outputs")
    adapter = ClassificationAdapter(task=task, max_length=max_length, outputs=outputs)
    if isinstance(teacher, AnyTeacher):
        stand_in, kept, notes = stand_in_for(teacher, task, None, max_length=max_length, out=out)
        told = task.with_train(task.train, *notes) if notes else task
        adapter = replace(adapter, task=told, stand_in=stand_in, outputs=kept)
    elif teacher is not None:
        require_labels_of(task, teacher)
    weights = plain(training.class_weights)
    run = LinearRun(
        name=type(method).__name__,
        seed=training.seed,
        method=method,
        adapter=adapter,
        teacher=teacher if isinstance(teacher, Network) else None,
        training=training,
        folder=out,
        recipe={
            "task": task.spec.name,
            "data": {"source": task.source, "max_length": max_length},
            "teacher": described_teacher(teacher),
            "methods": {type(method).__name__: plain(method)},
            "seeds": [training.seed],
            **({} if training.class_weights is None else {"training": {"class_weights": weights}}),
        },
        command="lmdistill.distill(...)",
    )
    with one_writer(out):
        run_linear(run)
