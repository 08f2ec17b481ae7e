"""Teachers that are more than one network, for `distill` from Python."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lmdistill.core.errors import ConfigError, MismatchError
from lmdistill.core.protocols import Method
from lmdistill.data.tasks.task import Task
from lmdistill.data.tasks.teacher_answers import TeacherAnswers
from lmdistill.evaluation.ensemble import Combine
from lmdistill.methods.teacher_outputs import require_answers_enough, require_outputs_enough
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.classifier import Network
from lmdistill.recipes.label_scoring import Scoring
from lmdistill.recipes.serialization import plain
from lmdistill.runs.classification.combined_teacher import CombinedTeacher
from lmdistill.runs.classification.ensemble import hold_out, with_temperature
from lmdistill.runs.classification.prompted_model import PromptedModel, prompted_model
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


@dataclass(frozen=True)
class PromptedTeacher:
    """A language model without a classification head that answers by prompt.

    Examples:
        >>> import lmdistill as ld
        >>> teacher = ld.PromptedTeacher(ld.load_causal("Qwen/Qwen3-4B"))  # doctest: +SKIP
        >>> ld.distill(teacher, task, student=student, method=ld.KD(), out="runs/prompted")  # doctest: +SKIP
    """

    model: LanguageNetwork
    """The language model, from `load_causal`."""

    prompt: str | None = None
    """The prompt, with `{text}` or the names of the text columns, and `{labels}`; None for the built-in."""

    label_words: Mapping[str, str] = field(default_factory=dict)
    """Label -> what stands for it behind the prompt; the label itself for others."""

    calibrate: bool = True
    """Subtract from the score of each word its score behind prompts without content."""

    chat_template: bool = True
    """Send the prompt through the chat template of the tokenizer, if it has one."""

    fit_temperature: bool = False
    """Divide the logits by the temperature that fits best a tenth of the training rows."""

    @property
    def scoring(self) -> Scoring:
        """How the words are scored, as a recipe says it."""
        return Scoring(calibrate=self.calibrate, chat_template=self.chat_template)


AnyTeacher = Ensemble | PromptedTeacher | TeacherAnswers
"""Teachers that are no single classifier."""


def combined_teacher(
    teacher: Ensemble | PromptedTeacher, task: Task, method: Method | None, *, max_length: int, out: Path
) -> tuple[CombinedTeacher, tuple[str, ...]]:
    """The teacher as runs use it, and notes for the task.

    Args:
        teacher: The models, or the model and its prompt.
        task: The task that they answer.
        method: The method, which must not ask for more than they can give; None if logits are enough.
        max_length: Longest input in tokens.
        out: The run folder; logits are kept beside it, in `teachers/outputs`.

    Raises:
        MismatchError: If a model has other classes or another order, or the method asks for hidden states, or
            runs models that cannot be run on new inputs.
        ConfigError: If a temperature or a prompt is given and the task has scores, or the prompt or the words
            cannot be used.
    """
    models = (
        _classifiers(teacher, task, max_length)
        if isinstance(teacher, Ensemble)
        else (_prompted(teacher, task, max_length),)
    )
    combine: Combine = teacher.combine if isinstance(teacher, Ensemble) else "log_probabilities"
    outputs = NetworkOutputs(cache=out.parent / "teachers" / "outputs")
    whole = CombinedTeacher(models=models, task=task, combine=combine, outputs=outputs)
    if method is not None:
        name = type(method).__name__
        require_outputs_enough(method, name, whole.name, why_not_run=whole.why_not_run)
    if not teacher.fit_temperature:
        return whole, ()
    fitted, note = with_temperature(whole, hold_out(task)[1])
    return fitted, (note,)


def require_labels_of(task: Task, network: Network) -> None:
    """Refuse a classifier whose classes are not the task's in the task's order."""
    if tuple(network.labels) != task.spec.labels or network.num_classes != task.spec.num_classes:
        raise MismatchError(
            f"{network.source} has the classes {', '.join(network.labels) or 'of a score'}, and "
            f"{task.spec.name} has {', '.join(task.spec.labels) or 'a score'} in this order. Load it "
            "with labels=task.spec.labels."
        )


def kind_of(teacher: AnyTeacher) -> str:
    """What to call such a teacher in a message."""
    if isinstance(teacher, TeacherAnswers):
        return teacher.source
    return "an ensemble of classifiers" if isinstance(teacher, Ensemble) else "one that answers with classes"


def described_teacher(teacher: Network | AnyTeacher | None) -> Mapping[str, Any] | None:
    """A teacher in the description that replaces the recipe in the record of a run from Python."""
    if isinstance(teacher, AnyTeacher):
        return described(teacher)
    return None if teacher is None else {"model": teacher.source}


def described(teacher: AnyTeacher) -> Mapping[str, Any]:
    """The teacher in the description of a run."""
    if isinstance(teacher, TeacherAnswers):
        return {"answers": teacher.source}
    if isinstance(teacher, Ensemble):
        names = [network.source for network in teacher.models]
        own: Mapping[str, Any] = {"models": names, "combine": teacher.combine}
    else:
        own = {
            "model": teacher.model.source,
            "prompt": teacher.prompt or "default",
            "label_words": dict(teacher.label_words),
            "scoring": plain(teacher.scoring),
        }
    return {**own, "fit_temperature": teacher.fit_temperature}


def _prompted(teacher: PromptedTeacher, task: Task, max_length: int) -> PromptedModel:
    """The language model and its prompt."""
    return prompted_model(
        teacher.model,
        task,
        teacher.prompt,
        words=teacher.label_words,
        max_length=max_length,
        scoring=teacher.scoring,
        place="the prompt",
    )


def _classifiers(teacher: Ensemble, task: Task, max_length: int) -> tuple[ClassifierModel, ...]:
    """The classifiers, each with the task's classes in the task's order."""
    for network in teacher.models:
        require_labels_of(task, network)
    return tuple(
        ClassifierModel(network=one, source=one.source, max_length=max_length) for one in teacher.models
    )


def stand_in_for(
    teacher: AnyTeacher, task: Task, method: Method | None, *, max_length: int, out: Path
) -> tuple[StandIn, NetworkOutputs | None, tuple[str, ...]]:
    """A teacher that is not one network as runs use it, where its logits are kept, and notes for the task.

    Args:
        teacher: Models, a model with its prompt, or answers to texts.
        task: The task that they answer.
        method: The method, which must not ask for more than they can give; None if logits are enough.
        max_length: Longest input in tokens.
        out: The run folder.

    Raises:
        MismatchError: If a model has other classes, or the method asks for what they cannot give.
        DataError: If less than half of the training texts have an answer.
    """
    if not isinstance(teacher, TeacherAnswers):
        combined, notes = combined_teacher(teacher, task, method, max_length=max_length, out=out)
        return combined, combined.outputs, notes
    if method is not None:
        require_answers_enough(method, type(method).__name__, teacher.source)
    recorded, note = recorded_teacher(teacher, task)
    return recorded, None, (note,)
