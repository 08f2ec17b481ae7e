"""The student of a recipe for language models."""

from dataclasses import replace
from typing import Any

from lmdistill.core.errors import MismatchError
from lmdistill.data.language.chat_template import use_template
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.generation import max_positions
from lmdistill.models.loading.causal_lm import load_causal
from lmdistill.models.lora import add_lora
from lmdistill.models.students.random_init import random_init
from lmdistill.models.students.random_llama import random_llama
from lmdistill.models.students.truncate import truncate
from lmdistill.models.vocabulary import align_vocabularies
from lmdistill.recipes.language_model import LanguageRecipe, Shape
from lmdistill.runs.language.teacher_cache import TeacherCache


def make_student(cache: TeacherCache, teacher: LanguageNetwork, *, seed: int) -> LanguageNetwork:
    """A new student, with a supervised warm-up and LoRA adapters if the recipe asks for them.

    Raises:
        MissingExtraError: For adapters, where peft is not installed.
    """
    settings = cache.recipe.student
    student = cut_student(cache, teacher, seed=seed)
    if settings.warm is not None:
        student = cache.tuned(student, replace(settings.warm, seed=seed), "warm-student")[0]
        align_vocabularies(student, teacher)
    if settings.checkpointing:
        student.checkpoint_gradients()
    if settings.adapters is None:
        return student
    chosen = settings.adapters
    return add_lora(student, rank=chosen.rank, alpha=chosen.alpha, dropout=chosen.dropout, seed=seed)


def cut_student(cache: TeacherCache, teacher: LanguageNetwork, *, seed: int) -> LanguageNetwork:
    """A new student: layers of the teacher, random weights, or another model.

    The vocabularies of both networks are cut to their tokenizer; see `align_vocabularies`.

    Raises:
        ModelError: If the layers do not exist, the family cannot be cut, or a model cannot be loaded.
        MismatchError: If the tokenizers differ, or a network cannot read passages of this length.
    """
    settings = cache.recipe.student
    if settings.model is not None:
        student = load_causal(settings.model)
    elif settings.shape is not None:
        student = random_network(settings.shape, teacher.tokenizer, cache.recipe, seed=seed)
    else:
        layers = teacher.num_layers if settings.layers == "all" else settings.layers
        student = truncate(teacher, layers=layers, keep=settings.which)
        student = random_init(student, seed=seed) if settings.init == "random" else student
    use_template(student.tokenizer, cache.recipe.texts.template)
    align_vocabularies(student, teacher)
    for network in (student, teacher):
        require_positions(network, cache.recipe.texts.max_length)
    return student


def require_positions(network: LanguageNetwork, length: int) -> None:
    """Check that a network can read the longest passage.

    Raises:
        MismatchError: If `length`, in tokens, is more than its number of positions.
    """
    limit = max_positions(network)
    if length > limit:
        raise MismatchError(
            f"texts.max_length is {length} and {network.source} reads at most {limit} tokens. "
            "Lower texts.max_length."
        )


def random_network(shape: Shape, tokenizer: Any, recipe: LanguageRecipe, *, seed: int) -> LanguageNetwork:
    """A Llama of this shape with random weights and positions for passages and completions."""
    return random_llama(
        tokenizer,
        width=shape.width,
        layers=shape.layers,
        heads=shape.heads,
        positions=2 * max(recipe.texts.max_length, 128),
        seed=seed,
    )
