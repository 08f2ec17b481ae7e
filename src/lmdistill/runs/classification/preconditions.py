"""Checks of a recipe for classifiers, before its teacher is fine-tuned."""

from typing import cast

from lmdistill.core.errors import ConfigError
from lmdistill.core.protocols import Method, Net
from lmdistill.data.tasks.task import Task
from lmdistill.methods import TFIDF
from lmdistill.methods.teacher_outputs import require_outputs_enough
from lmdistill.models.classifier import Network
from lmdistill.recipes.classifier import Recipe
from lmdistill.recipes.registry import name_of
from lmdistill.runs.classification.combined_teacher import CombinedTeacher
from lmdistill.runs.classification.dataset import require_fit
from lmdistill.runs.classification.recorded_teacher import RecordedTeacher
from lmdistill.runs.classification.stand_in import StandIn
from lmdistill.runs.classification.student import make_student
from lmdistill.runs.classification.teacher import PreparedTeacher
from lmdistill.runs.classification.trimmed_vocabulary import require_vocabulary
from lmdistill.runs.schedules.run_schedule import require_schedule
from lmdistill.schedules.distillation import Direct


def networks_of(recipe: Recipe) -> dict[str, Method]:
    """The methods of a recipe that train a network."""
    return {name: method for name, method in recipe.methods.items() if not isinstance(method, TFIDF)}


def require_distillable(recipe: Recipe, task: Task, teacher: PreparedTeacher, *, read: Task) -> None:
    """Refuse what cannot be distilled from a teacher of this shape, before it is fine-tuned for hours.

    Args:
        recipe: What is asked for.
        task: What the teacher is fine-tuned on.
        teacher: Perhaps not fine-tuned yet.
        read: The task with all training texts of the students.

    Raises:
        LmdistillError: For what does not fit.
    """
    if not networks_of(recipe):
        return
    student = make_student(recipe, teacher, task, seed=recipe.seeds[0])
    require_fit(task, student, teacher.network, max_length=recipe.data.max_length)
    if recipe.student.vocabulary is not None:
        require_vocabulary(student, read, recipe.student.vocabulary, recipe.data.max_length)
    if teacher.stand_in is not None:
        _check_stand_in(recipe, task, student, teacher.stand_in)
    require_schedule(
        recipe.schedule,
        student,
        student.num_layers if teacher.network is None else teacher.network.num_layers,
        keep=recipe.student.keep,
        pruning=recipe.student.pruning,
    )
    for method in networks_of(recipe).values():
        method.check(student, cast("Net | None", teacher.teaching))


def _check_stand_in(recipe: Recipe, task: Task, student: Network, stand_in: StandIn) -> None:
    """Refuse what asks one network of a teacher that is none: pruning, and methods that run it."""
    who = "the teacher is not one network as it is"
    if isinstance(stand_in, RecordedTeacher):
        who = f"{recipe.teacher.answers} has only answers"
    if not isinstance(recipe.schedule, Direct):
        raise ConfigError(
            f"the schedule {name_of(type(recipe.schedule))} prunes its teacher, and {who}. Leave "
            "schedule out."
        )
    if recipe.student.keep < 1:
        raise ConfigError(
            f"student.keep is {recipe.student.keep:g}, which needs a network as teacher, and {who}. Leave it "
            "out."
        )
    if isinstance(stand_in, CombinedTeacher):
        for model in stand_in.models:
            if isinstance(model.network, Network):
                require_fit(task, student, model.network, max_length=recipe.data.max_length)
        for name, method in networks_of(recipe).items():
            require_outputs_enough(method, name, stand_in.name, why_not_run=stand_in.why_not_run)
