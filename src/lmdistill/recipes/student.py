"""The student of a recipe."""

from lmdistill.core.errors import ConfigError
from lmdistill.core.seeding import seed_everything
from lmdistill.data.tasks import Task
from lmdistill.models.initial import randomised
from lmdistill.models.network import Network
from lmdistill.models.truncate import truncate
from lmdistill.recipes.schema import Student
from lmdistill.recipes.teacher import Ready, fresh


def make_student(settings: Student, ready: Ready, task: Task, *, seed: int) -> Network:
    """A new student: cut from the teacher, from its backbone, another model, or random.

    Args:
        settings: Which of these.
        ready: The teacher.
        task: For the head, where a new one is needed.
        seed: Of everything random in it.

    Raises:
        ConfigError: If the backbone is asked for and the teacher came fine-tuned.
        ModelError: If the layers do not exist, or the family cannot be cut.
    """
    if settings.model is not None:
        return fresh(settings.model, task, seed=seed)
    if settings.init == "pretrained" and ready.backbone is ready.network:
        raise ConfigError(
            f"student.init is pretrained, and the teacher {ready.network.source} came fine-tuned: "
            "there is no network from before. Name a teacher without a head, or a student.model."
        )
    source = ready.backbone if settings.init == "pretrained" else ready.network
    cut = truncate(source, layers=settings.layers, keep=settings.keep)
    if settings.init == "teacher":
        return cut
    seed_everything(seed, "head")
    return randomised(cut, seed=seed)
