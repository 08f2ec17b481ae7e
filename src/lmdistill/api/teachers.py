"""Teachers that are more than one network, for `distill` from Python."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lmdistill.core.errors import ConfigError, MismatchError
from lmdistill.core.protocols import Method
from lmdistill.data.tasks.task import Task
from lmdistill.data.tasks.teacher_answers import TeacherAnswers
from lmdistill.evaluation.ensemble import Combine
from lmdistill.methods.teacher_outputs import require_answers_enough, require_outputs_enough
from lmdistill.models.classifier import Network
from lmdistill.runs.classification.combined_teacher import CombinedTeacher
from lmdistill.runs.classification.ensemble import hold_out, with_temperature
from lmdistill.runs.classification.recorded_teacher import recorded_teacher
from lmdistill.runs.classification.stand_in import StandIn
from lmdistill.runs.classification.teacher_models import ClassifierModel
from lmdistill.runs.classification.teacher_outputs import NetworkOutputs


@dataclass(frozen=True)
class Ensemble:
    """Several classifiers that teach together; each may have its own tokenizer.

    Examples:
        >>> import lmdistill as ld
        >>> teacher = ld.Ensemble([ld.load("a"), ld.load("b")])  # doctest: +SKIP
        >>> ld.distill(teacher, task, student=student, out="runs/two")  # doctest: +SKIP
    """

    models: Sequence[Network]
    """The classifiers, at least one, with the task's classes in the task's order."""

    combine: Combine = "log_probabilities"
    """What is averaged over them: log-probabilities (the geometric mean), probabilities, or logits."""

    fit_temperature: bool = False
    """Divide the combined logits by the temperature that fits best a tenth of the training rows. The networks
    may have seen these rows, which the record says."""

    def __post_init__(self) -> None:
        if not self.models:
            raise ConfigError("an ensemble has no models. Give it one or more.")


def combined_teacher(
    teacher: Ensemble, task: Task, method: Method, *, max_length: int, out: Path
) -> tuple[CombinedTeacher, tuple[str, ...]]:
    """The teacher as runs use it, and notes for the task.

    Args:
        teacher: The models.
        task: The task that they answer.
        method: The method, which must not ask for more than they can give.
        max_length: Longest input in tokens.
        out: The run folder; logits are kept beside it, in `teachers/outputs`.

    Raises:
        MismatchError: If a model has other classes or another order, or the method asks for hidden states, or
            runs models with different tokenizers.
        ConfigError: If a temperature is asked for and the task has scores.
    """
    for network in teacher.models:
        if tuple(network.labels) != task.spec.labels or network.num_classes != task.spec.num_classes:
            raise MismatchError(
                f"{network.source} has the classes {', '.join(network.labels) or 'of a score'}, and "
                f"{task.spec.name} has {', '.join(task.spec.labels) or 'a score'} in this order. Load it "
                "with labels=task.spec.labels."
            )
    whole = CombinedTeacher(
        models=tuple(
            ClassifierModel(network=one, source=one.source, max_length=max_length) for one in teacher.models
        ),
        task=task,
        combine=teacher.combine,
        outputs=NetworkOutputs(cache=out.parent / "teachers" / "outputs"),
    )
    name = type(method).__name__
    require_outputs_enough(method, name, whole.name, why_not_run=whole.why_not_run)
    if not teacher.fit_temperature:
        return whole, ()
    fitted, note = with_temperature(whole, hold_out(task)[1])
    return fitted, (note,)


def stand_in_for(
    teacher: Ensemble | TeacherAnswers, task: Task, method: Method, *, max_length: int, out: Path
) -> tuple[StandIn, NetworkOutputs | None, tuple[str, ...]]:
    """A teacher that is not one network as runs use it, where its logits are kept, and notes for the task.

    Args:
        teacher: Models, or answers to texts.
        task: The task that they answer.
        method: The method, which must not ask for more than they can give.
        max_length: Longest input in tokens.
        out: The run folder.

    Raises:
        MismatchError: If a model has other classes, or the method asks for what they cannot give.
        DataError: If less than half of the training texts have an answer.
    """
    if isinstance(teacher, Ensemble):
        combined, notes = combined_teacher(teacher, task, method, max_length=max_length, out=out)
        return combined, combined.outputs, notes
    require_answers_enough(method, type(method).__name__, teacher.source)
    recorded, note = recorded_teacher(teacher, task)
    return recorded, None, (note,)
