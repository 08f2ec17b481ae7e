"""The teacher of a recipe for language models: used as it is, or trained on the texts first."""

from pathlib import Path
from typing import Any, cast

import torch

from lmdistill.core.protocols import Method, Net
from lmdistill.data.synthetic.stories import stories_tokenizer
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.loading.causal_lm import load_causal, load_tokenizer
from lmdistill.runs.language.student import cut_student, random_network
from lmdistill.runs.language.teacher_cache import DTYPES, TeacherCache
from lmdistill.runs.schedules.run_schedule import require_schedule


def prepare_teacher(cache: TeacherCache) -> tuple[LanguageNetwork, Path | None]:
    """The teacher of a recipe, and the folder of its model or of the run that trained it.

    Students and methods are checked before the teacher is trained.

    Raises:
        ModelError: If it cannot be loaded, or no student can be made of it.
        MismatchError: If a method cannot be used with them.
    """
    settings = cache.recipe.teacher
    if settings.model is None:
        network = random_network(settings.shape, _tokenizer(cache), cache.recipe, seed=settings.training.seed)
    else:
        network = load_causal(
            settings.model,
            dtype=torch.float32 if settings.tune else DTYPES[settings.dtype],
            trust_remote_code=settings.trust_remote_code,
        )
    student = cut_student(cache, network, seed=cache.recipe.seeds[0])
    chosen = cache.recipe.student
    require_schedule(
        cache.recipe.schedule, student, network.num_layers, keep=chosen.keep, pruning=chosen.pruning
    )
    for method in cache.recipe.methods.values():
        cast(Method, method).check(cast(Net, student), cast(Net, network))
    if settings.model is None or settings.tune:
        return cache.tuned(network, settings.training, "teacher", settings.dtype)
    place = Path(settings.model)
    return network, place if place.is_dir() else None


def _tokenizer(cache: TeacherCache) -> Any:
    """The tokenizer of a teacher with random weights: the named one, or one of the words of the texts."""
    named = cache.recipe.teacher.tokenizer
    return stories_tokenizer(cache.texts) if named is None else load_tokenizer(named)
