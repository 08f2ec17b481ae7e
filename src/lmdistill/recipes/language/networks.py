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
from lmdistill.core.types import Net
from lmdistill.data.conversations import Conversations
from lmdistill.data.stories import stories_tokenizer
from lmdistill.engine.training import Training
from lmdistill.methods import SFT
from lmdistill.models import describe
from lmdistill.models.adapters import with_adapters
from lmdistill.models.causal import LanguageNetwork
from lmdistill.models.causal_load import load_causal, load_tokenizer
from lmdistill.models.generate import positions_of
from lmdistill.models.initial import randomised
from lmdistill.models.shaped import shaped
from lmdistill.models.truncate import truncate
from lmdistill.models.vocabulary import align
from lmdistill.recipes.construct import plain
from lmdistill.recipes.folder import Workplace, to_be_made
from lmdistill.recipes.language.assignment import assignment_of
from lmdistill.recipes.language.passages import Pages, cut_pages
from lmdistill.recipes.language.schema import LanguageRecipe, Shape
from lmdistill.recipes.language.stage import LanguageStage, run_language_stage
from lmdistill.recipes.schedule.stages import require_way

log = logging.getLogger("lmdistill")

DTYPES: Mapping[str, torch.dtype | Literal["auto"]] = MappingProxyType(
    {"auto": "auto", "float32": torch.float32, "bfloat16": torch.bfloat16}
)
"""What recipes call the precision of weights."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What the networks of a recipe are trained in."""

    recipe: LanguageRecipe
    """All of it."""

    texts: Conversations
    """Passages."""

    cache: Path
    """Folder of networks that were trained before, each under a name made of everything that went into it."""

    command: str
    """What was typed, for records."""

    def pages(self, tokenizer: Any) -> Pages:
        """The passages in tokens."""
        return cut_pages(self.texts, tokenizer, self.recipe.texts)

    def tuned(
        self, network: LanguageNetwork, training: Training, name: str, dtype: str = "float32"
    ) -> tuple[LanguageNetwork, Path]:
        """`network` after supervised training on the passages; from the cache where it was trained before."""
        recipe = self.recipe
        inputs = {
            "model": describe.fingerprint(network),
            "data": self.texts.fingerprint,
            "texts": plain(recipe.texts),
            "training": plain(training),
        }
        folder = self.cache / f"{name}-{fingerprint(inputs)}"
        with to_be_made(Workplace(path=folder)) as is_missing:
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


def make_teacher(bench: Bench) -> tuple[LanguageNetwork, Path | None]:
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


def make_student(bench: Bench, teacher: LanguageNetwork, *, seed: int) -> LanguageNetwork:
    """A new student, warmed up and given adapters where that is asked for; see `cut_student`.

    Raises:
        MissingExtraError: For adapters, where peft is not installed.
    """
    settings = bench.recipe.student
    student = cut_student(bench, teacher, seed=seed)
    if settings.warm is not None:
        student = bench.tuned(student, replace(settings.warm, seed=seed), "warm-student")[0]
        align(student, teacher)
    if settings.checkpointing:
        student.checkpoint_gradients()
    if settings.adapters is None:
        return student
    chosen = settings.adapters
    return with_adapters(student, rank=chosen.rank, alpha=chosen.alpha, dropout=chosen.dropout, seed=seed)


def cut_student(bench: Bench, teacher: LanguageNetwork, *, seed: int) -> LanguageNetwork:
    """A new student: cut from the teacher, in a shape of its own, or another model.

    Both then answer for the tokens of their tokenizer and for nothing else; see `align`.

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
        student = randomised(student, seed=seed) if settings.init == "random" else student
    align(student, teacher)
    for network in (student, teacher):
        require_positions(network, bench.recipe.texts.max_length)
    return student


def require_positions(network: LanguageNetwork, length: int) -> None:
    """Refuse a network that cannot read the longest passage.

    Raises:
        MismatchError: If `length`, in tokens, is more than it reads.
    """
    limit = positions_of(network)
    if length > limit:
        raise MismatchError(
            f"texts.max_length is {length} and {network.source} reads at most {limit} tokens. "
            "Lower texts.max_length."
        )


def _shaped(shape: Shape, tokenizer: Any, recipe: LanguageRecipe, *, seed: int) -> LanguageNetwork:
    """A Llama of this shape, long enough for the passages and what is written after them."""
    return shaped(
        tokenizer,
        width=shape.width,
        layers=shape.layers,
        heads=shape.heads,
        positions=2 * max(recipe.texts.max_length, 128),
        seed=seed,
    )


def _tokenizer(bench: Bench) -> Any:
    """The tokenizer of a teacher that has no model: the one that is named, or one made for the texts."""
    named = bench.recipe.teacher.tokenizer
    return stories_tokenizer(bench.texts) if named is None else load_tokenizer(named)
