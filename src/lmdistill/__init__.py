"""Turn a large language model into a small one that keeps its quality."""

from lmdistill.data.sources import load_task as load_task
from lmdistill.data.tasks import TASKS as TASKS
from lmdistill.data.tasks import Task as Task
from lmdistill.engine.training import Optimizer as Optimizer
from lmdistill.engine.training import Training as Training
from lmdistill.export.hugging_face import save as save
from lmdistill.methods import KD as KD
from lmdistill.methods import METHODS as METHODS
from lmdistill.methods import PKD as PKD
from lmdistill.methods import FineTune as FineTune
from lmdistill.methods import MixKD as MixKD
from lmdistill.models.load import load as load
from lmdistill.models.network import Network as Network
from lmdistill.models.truncate import truncate as truncate
from lmdistill.recipes.distill import Run as Run
from lmdistill.recipes.distill import distill as distill
from lmdistill.recipes.distill import finetune as finetune

__all__ = [
    "KD",
    "METHODS",
    "PKD",
    "TASKS",
    "FineTune",
    "MixKD",
    "Network",
    "Optimizer",
    "Run",
    "Task",
    "Training",
    "distill",
    "finetune",
    "load",
    "load_task",
    "save",
    "truncate",
]
