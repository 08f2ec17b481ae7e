"""Turn a large language model into a small one that keeps its quality."""

from lmdistill.api.corpus import Corpus as Corpus
from lmdistill.api.corpus import load_texts as load_texts
from lmdistill.api.distill import Run as Run
from lmdistill.api.distill import distill as distill
from lmdistill.api.distill import finetune as finetune
from lmdistill.commands.generate import complete_texts as complete_texts
from lmdistill.data.load_task import load_task as load_task
from lmdistill.data.tasks.task import TASKS as TASKS
from lmdistill.data.tasks.task import Task as Task
from lmdistill.engine.training_settings import Optimizer as Optimizer
from lmdistill.engine.training_settings import Training as Training
from lmdistill.export.hugging_face import save as save
from lmdistill.methods import ATKD as ATKD
from lmdistill.methods import KD as KD
from lmdistill.methods import METHODS as METHODS
from lmdistill.methods import PKD as PKD
from lmdistill.methods import SFT as SFT
from lmdistill.methods import FineTune as FineTune
from lmdistill.methods import MixKD as MixKD
from lmdistill.methods import TokenKD as TokenKD
from lmdistill.models.causal_lm import LanguageNetwork as LanguageNetwork
from lmdistill.models.classifier import Network as Network
from lmdistill.models.loading.causal_lm import load_causal as load_causal
from lmdistill.models.loading.classifier import load as load
from lmdistill.models.students.truncate import truncate as truncate

__all__ = [
    "ATKD",
    "KD",
    "METHODS",
    "PKD",
    "SFT",
    "TASKS",
    "Corpus",
    "FineTune",
    "LanguageNetwork",
    "MixKD",
    "Network",
    "Optimizer",
    "Run",
    "Task",
    "TokenKD",
    "Training",
    "complete_texts",
    "distill",
    "finetune",
    "load",
    "load_causal",
    "load_task",
    "load_texts",
    "save",
    "truncate",
]
