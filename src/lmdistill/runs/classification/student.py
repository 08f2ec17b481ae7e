"""The student of a recipe."""

from lmdistill.core.errors import ConfigError
from lmdistill.data.tasks.task import Task
from lmdistill.models.classifier import Network
from lmdistill.models.students.random_init import random_init
from lmdistill.models.students.truncate import truncate
from lmdistill.recipes.classifier import Recipe
from lmdistill.runs.classification.teacher import PreparedTeacher, fresh


def make_student(recipe: Recipe, teacher: PreparedTeacher, task: Task, *, seed: int) -> Network:
    """A new student: layers of the teacher or of its pretrained backbone, another model, or random weights.

    Where only answers of the teacher are known, the backbone takes the teacher's place. Of several teachers
    the first one gives the layers.

    Args:
        recipe: Its student settings decide; a backbone is loaded again with a new head.
        teacher: The fine-tuned teacher.
        task: Labels of a new head, if one is needed.
        seed: Seed of random weights.

    Raises:
        ConfigError: If the backbone is asked for and the teacher came fine-tuned.
        ModelError: If the layers do not exist, or the family cannot be cut.
    """
    settings = recipe.student
    if settings.model is not None:
        return fresh(settings.model, task, seed=seed)
    source = teacher.network
    if source is not None and settings.init == "pretrained" and teacher.backbone is source:
        raise ConfigError(
            f"student.init is pretrained, and the teacher {source.source} came fine-tuned: "
            "there is no network from before. Name a teacher without a head, or a student.model."
        )
    if source is None or settings.init == "pretrained":
        source = fresh(recipe.teacher.names[0], task, seed=seed, trust=recipe.teacher.trust_remote_code)
    layers = source.num_layers if settings.layers == "all" else settings.layers
    cut = truncate(source, layers=layers, keep=settings.which)
    return random_init(cut, seed=seed) if settings.init == "random" else cut
