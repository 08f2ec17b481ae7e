"""Turn a large language model into a small one that keeps its quality.

A name is imported when it is first used (PEP 562), since torch and transformers take seconds to import.
"""

import importlib as _importlib
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from lmdistill import register_with_transformers as _register_with_transformers
from lmdistill.core.version import VERSION as _VERSION

if _TYPE_CHECKING:
    from lmdistill.api.corpus import Corpus as Corpus
    from lmdistill.api.corpus import load_texts as load_texts
    from lmdistill.api.distill import Run as Run
    from lmdistill.api.distill import distill as distill
    from lmdistill.api.distill import finetune as finetune
    from lmdistill.api.inputs import add_unlabelled as add_unlabelled
    from lmdistill.api.inputs import load_answers as load_answers
    from lmdistill.api.inputs import subset as subset
    from lmdistill.api.teachers import Ensemble as Ensemble
    from lmdistill.api.teachers import PromptedTeacher as PromptedTeacher
    from lmdistill.commands.generate import complete_texts as complete_texts
    from lmdistill.data.load_task import load_task as load_task
    from lmdistill.data.tasks.task import Task as Task
    from lmdistill.data.tasks.task_spec import TASKS as TASKS
    from lmdistill.engine.training_settings import Optimizer as Optimizer
    from lmdistill.engine.training_settings import Training as Training
    from lmdistill.export.hugging_face import save as save
    from lmdistill.linear.classifier import LinearClassifier as LinearClassifier
    from lmdistill.linear.classifier import load_linear as load_linear
    from lmdistill.methods import ATKD as ATKD
    from lmdistill.methods import KD as KD
    from lmdistill.methods import METHODS as METHODS
    from lmdistill.methods import PKD as PKD
    from lmdistill.methods import SFT as SFT
    from lmdistill.methods import TFIDF as TFIDF
    from lmdistill.methods import FineTune as FineTune
    from lmdistill.methods import MixKD as MixKD
    from lmdistill.methods import TokenKD as TokenKD
    from lmdistill.models.causal_lm import LanguageNetwork as LanguageNetwork
    from lmdistill.models.classifier import Network as Network
    from lmdistill.models.loading.causal_lm import load_causal as load_causal
    from lmdistill.models.loading.classifier import load as load
    from lmdistill.models.students.truncate import truncate as truncate

__version__ = _VERSION

_NAMES = {
    "api.corpus": ("Corpus", "load_texts"),
    "api.distill": ("Run", "distill", "finetune"),
    "api.inputs": ("add_unlabelled", "load_answers", "subset"),
    "api.teachers": ("Ensemble", "PromptedTeacher"),
    "commands.generate": ("complete_texts",),
    "data.load_task": ("load_task",),
    "data.tasks.task": ("Task",),
    "data.tasks.task_spec": ("TASKS",),
    "engine.training_settings": ("Optimizer", "Training"),
    "export.hugging_face": ("save",),
    "linear.classifier": ("LinearClassifier", "load_linear"),
    "methods": ("ATKD", "KD", "METHODS", "PKD", "SFT", "TFIDF", "FineTune", "MixKD", "TokenKD"),
    "models.causal_lm": ("LanguageNetwork",),
    "models.classifier": ("Network",),
    "models.loading.causal_lm": ("load_causal",),
    "models.loading.classifier": ("load",),
    "models.students.truncate": ("truncate",),
}
"""Where each public name is defined; the imports above say the same to type checkers, and a test compares."""

_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}

__all__ = sorted(("__version__", *_MODULE_OF))


def __getattr__(name: str) -> _Any:
    """Import a public name when it is first used, and keep it."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(_importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """All names, also those that are not imported yet."""
    return sorted({*globals(), *__all__})


_register_with_transformers.register_when_loaded()
