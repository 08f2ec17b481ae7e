"""Distillation and fine-tuning of language models from Python."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from lmdistill.api.corpus import Corpus
from lmdistill.core.protocols import Method, Net
from lmdistill.engine.training_settings import Training
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.loading.causal_lm import load_causal
from lmdistill.models.vocabulary import align_vocabularies, trim_vocabulary
from lmdistill.recipes.language_model import LanguageRecipe
from lmdistill.recipes.serialization import plain
from lmdistill.runs.language.generation_prompts import generation_prompts, recipe_prompts
from lmdistill.runs.language.stage_adapter import LanguageAdapter
from lmdistill.runs.language.teacher_cache import TeacherCache
from lmdistill.runs.language.teacher_completions import training_texts
from lmdistill.runs.language.training_defaults import chosen_training
from lmdistill.runs.stage import Stage, run_stage


def distill_texts(
    teacher: LanguageNetwork | None,
    corpus: Corpus,
    *,
    student: LanguageNetwork,
    out: Path,
    method: Method,
    training: Training | None,
) -> None:
    """Distil `teacher` into `student`, which is trained in place; or continue the run in `out`.

    The teacher's completions, if a method needs them, are kept beside `out`, in `teachers/`.

    Args:
        teacher: With the student's tokenizer; None for methods that need none.
        corpus: From `load_texts`.
        student: The student; trained in place.
        out: The run folder.
        method: A method for language models.
        training: Training settings with the seed; by default those of a recipe, by the student's size.

    Raises:
        ConfigError: For a method of classifiers.
        RunError: If `out` holds another run.
        MismatchError: If networks, method and tokenizers do not fit.
        DivergedError: If the loss stops being a number.
    """
    name, training = type(method).__name__, chosen_training(training or LanguageRecipe().training, student)
    recipe = LanguageRecipe(
        texts=corpus.settings,
        methods={name: method},
        training=replace(training, seed=0),
        seeds=(training.seed,),
    )
    if teacher is None:
        trim_vocabulary(student)
    else:
        align_vocabularies(student, teacher)
    method.check(cast(Net, student), cast(Net, teacher))
    cache = TeacherCache(
        recipe=recipe, texts=corpus.rows, folder=out.parent / "teachers", command="lmdistill.distill(...)"
    )
    own = cache.encode(student.tokenizer)
    texts, encoded = training_texts(method, cache, own, teacher)
    prompts = recipe_prompts(recipe.writing, recipe.texts, own, student.tokenizer)
    adapter = LanguageAdapter(
        texts=texts, encoded=encoded, prompts=generation_prompts(recipe.writing, *prompts)
    )
    place = None if teacher is None else Path(teacher.source)
    stage = Stage(
        kind="distill",
        name=name,
        student=student,
        teacher=teacher,
        method=method,
        training=training,
        adapter=adapter,
        folder=out,
        teacher_folder=place if place is not None and place.is_dir() else None,
        recipe=_described(recipe, teacher, student),
        command=cache.command,
    )
    run_stage(stage)


def finetune_texts(
    model: str | Path, corpus: Corpus, *, training: Training | None, cache: Path
) -> LanguageNetwork:
    """Train `model` on the texts, or load it from `cache` if it was trained on them before.

    Args:
        model: Hub id or folder of a causal language model.
        corpus: From `load_texts`.
        training: Training settings with the seed; by default those of a recipe.
        cache: Folder of trained networks.

    Raises:
        ModelError: If the model cannot be loaded.
        DivergedError: If the loss stops being a number.
    """
    recipe = LanguageRecipe(texts=corpus.settings)
    teachers = TeacherCache(recipe=recipe, texts=corpus.rows, folder=cache, command="lmdistill.finetune(...)")
    network = load_causal(model)
    trim_vocabulary(network)
    return teachers.tuned(network, chosen_training(training or recipe.training, network), "teacher")[0]


def _described(
    recipe: LanguageRecipe, teacher: LanguageNetwork | None, student: LanguageNetwork
) -> dict[str, Any]:
    """The description that replaces the recipe in the record of a run from Python."""
    return {
        **plain(recipe),
        "teacher": None if teacher is None else {"model": teacher.source},
        "student": {"model": student.source, "layers": student.num_layers},
    }
