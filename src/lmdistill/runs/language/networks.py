"""Teacher and student of a recipe for language models."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast

import torch

from lmdistill.core.errors import MismatchError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.core.protocols import Net
from lmdistill.data.language.conversations import Conversations
from lmdistill.data.synthetic.stories import stories_tokenizer
from lmdistill.engine.training_settings import Training
from lmdistill.methods import SFT
from lmdistill.models import model_stats
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.generation import max_positions
from lmdistill.models.loading.causal_lm import load_causal, load_tokenizer
from lmdistill.models.lora import add_lora
from lmdistill.models.students.random_init import random_init
from lmdistill.models.students.random_llama import random_llama
from lmdistill.models.students.truncate import truncate
from lmdistill.models.vocabulary import align_vocabularies
from lmdistill.recipes.language_model import LanguageRecipe, Shape
from lmdistill.recipes.parsing import plain
from lmdistill.runs.language.dataset import EncodedTexts, cut_pages
from lmdistill.runs.language.generation_prompts import assignment_of
from lmdistill.runs.language.stage import LanguageStage, run_language_stage
from lmdistill.runs.run_folder import RunFolder, to_be_made
from lmdistill.runs.schedules.run_schedule import require_way

log = logging.getLogger("lmdistill")

DTYPES: Mapping[str, torch.dtype | Literal["auto"]] = MappingProxyType(
    {"auto": "auto", "float32": torch.float32, "bfloat16": torch.bfloat16}
)
"""What recipes call the precision of weights."""


@dataclass(frozen=True, kw_only=True)
class TeacherCache:
    """What the networks of a recipe are trained in."""

    recipe: LanguageRecipe
    """All of it."""

    texts: Conversations
    """Passages."""

    cache: Path
    """Folder of networks that were trained before, each under a name made of everything that went into it."""

    command: str
    """What was typed, for records."""

    def pages(self, tokenizer: Any) -> EncodedTexts:
        """The passages in tokens."""
        return cut_pages(self.texts, tokenizer, self.recipe.texts)

    def tuned(
        self, network: LanguageNetwork, training: Training, name: str, dtype: str = "float32"
    ) -> tuple[LanguageNetwork, Path]:
        """`network` after supervised training on the passages; from the cache where it was trained before."""
        recipe = self.recipe
        inputs = {
            "model": model_stats.fingerprint(network),
            "data": self.texts.fingerprint,
            "texts": plain(recipe.texts),
            "training": plain(training),
        }
        folder = self.cache / f"{name}-{fingerprint(inputs)}"
        with to_be_made(RunFolder(path=folder)) as is_missing:
            if is_missing:
                log.info("training the %s on the texts first, into %s", name, folder)
                run_language_stage(self._supervised(network, training, name, folder))
            else:
                log.info("using the %s trained before, in %s", name, folder)
        return load_causal(folder / "student", dtype=DTYPES[dtype]), folder

    def _supervised(
        self, network: LanguageNetwork, training: Training, name: str, folder: Path
    ) -> LanguageStage:
        """The run that trains `network` on the passages."""
        texts = plain(self.recipe.texts)
        return LanguageStage(
            kind="finetune",
            name=name,
            texts=self.texts,
            pages=self.pages(network.tokenizer),
            student=network,
            teacher=None,
            method=SFT(),
            training=training,
            writing=assignment_of(self.recipe.writing),
            folder=folder,
            recipe={"texts": texts, "training": plain(training), "model": network.source},
            command=self.command,
        )


def make_teacher(bench: TeacherCache) -> tuple[LanguageNetwork, Path | None]:
    """The teacher of a recipe, and the folder of the run that trained it, if one did.

    What would go wrong with students and methods goes wrong before the teacher is trained.

    Raises:
        ModelError: If it cannot be loaded, or no student can be made of it.
        MismatchError: If a method cannot be used with them.
    """
    settings = bench.recipe.teacher
    if settings.model is None:
        network = _shaped(settings.shape, _tokenizer(bench), bench.recipe, seed=settings.training.seed)
    else:
        network = load_causal(
            settings.model,
            dtype=torch.float32 if settings.tune else DTYPES[settings.dtype],
            trust_remote_code=settings.trust_remote_code,
        )
    student = cut_student(bench, network, seed=bench.recipe.seeds[0])
    chosen = bench.recipe.student
    require_way(bench.recipe.schedule, student, network.num_layers, keep=chosen.keep, pruning=chosen.pruning)
    for method in bench.recipe.methods.values():
        method.check(cast(Net, student), cast(Net, network))
    if settings.model is None or settings.tune:
        return bench.tuned(network, settings.training, "teacher", settings.dtype)
    place = Path(settings.model)
    return network, place if place.is_dir() else None


def make_student(bench: TeacherCache, teacher: LanguageNetwork, *, seed: int) -> LanguageNetwork:
    """A new student, warmed up and given adapters where that is asked for; see `cut_student`.

    Raises:
        MissingExtraError: For adapters, where peft is not installed.
    """
    settings = bench.recipe.student
    student = cut_student(bench, teacher, seed=seed)
    if settings.warm is not None:
        student = bench.tuned(student, replace(settings.warm, seed=seed), "warm-student")[0]
        align_vocabularies(student, teacher)
    if settings.checkpointing:
        student.checkpoint_gradients()
    if settings.adapters is None:
        return student
    chosen = settings.adapters
    return add_lora(student, rank=chosen.rank, alpha=chosen.alpha, dropout=chosen.dropout, seed=seed)


def cut_student(bench: TeacherCache, teacher: LanguageNetwork, *, seed: int) -> LanguageNetwork:
    """A new student: cut from the teacher, in a shape of its own, or another model.

    Both then answer for the tokens of their tokenizer and for nothing else; see `align_vocabularies`.

    Raises:
        ModelError: If the layers do not exist, the family cannot be cut, or a model cannot be loaded.
        MismatchError: If another model has another tokenizer, or a network cannot read texts so long.
    """
    settings = bench.recipe.student
    if settings.model is not None:
        student = load_causal(settings.model)
    elif settings.shape is not None:
        student = _shaped(settings.shape, teacher.tokenizer, bench.recipe, seed=seed)
    else:
        layers = teacher.num_layers if settings.layers == "all" else settings.layers
        student = truncate(teacher, layers=layers, keep=settings.which)
        student = random_init(student, seed=seed) if settings.init == "random" else student
    align_vocabularies(student, teacher)
    for network in (student, teacher):
        require_positions(network, bench.recipe.texts.max_length)
    return student


def require_positions(network: LanguageNetwork, length: int) -> None:
    """Refuse a network that cannot read the longest passage.

    Raises:
        MismatchError: If `length`, in tokens, is more than it reads.
    """
    limit = max_positions(network)
    if length > limit:
        raise MismatchError(
            f"texts.max_length is {length} and {network.source} reads at most {limit} tokens. "
            "Lower texts.max_length."
        )


def _shaped(shape: Shape, tokenizer: Any, recipe: LanguageRecipe, *, seed: int) -> LanguageNetwork:
    """A Llama of this shape, long enough for the passages and what is written after them."""
    return random_llama(
        tokenizer,
        width=shape.width,
        layers=shape.layers,
        heads=shape.heads,
        positions=2 * max(recipe.texts.max_length, 128),
        seed=seed,
    )


def _tokenizer(bench: TeacherCache) -> Any:
    """The tokenizer of a teacher that has no model: the one that is named, or one made for the texts."""
    named = bench.recipe.teacher.tokenizer
    return stories_tokenizer(bench.texts) if named is None else load_tokenizer(named)
