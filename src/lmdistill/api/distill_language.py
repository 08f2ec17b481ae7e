"""Language models from Python: objects in, a run folder or a network out."""

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
from lmdistill.recipes.parsing import plain
from lmdistill.runs.language.generation_prompts import asked_of, assignment_of
from lmdistill.runs.language.networks import TeacherCache
from lmdistill.runs.language.stage import LanguageStage, run_language_stage
from lmdistill.runs.language.teacher_completions import learned_by


def distill_texts(
    teacher: LanguageNetwork | None,
    corpus: Corpus,
    *,
    student: LanguageNetwork,
    out: Path,
    method: Method,
    training: Training | None,
) -> None:
    """Train `student`, in place, to write like `teacher`; or continue, or leave alone, the run in `out`.

    The teacher's completions lie beside `out`, in `teachers/`, where a method asks for them.

    Args:
        teacher: With the student's tokenizer; None for methods that need none.
        corpus: From `load_texts`.
        student: Who learns.
        out: The run's folder.
        method: One for language models.
        training: That of a recipe unless given; holds the seed.

    Raises:
        ConfigError: For a method of classifiers.
        RunError: If `out` holds another run.
        MismatchError: If networks, method and tokenizers do not fit.
        DivergedError: If the loss stops being a number.
    """
    name, training = type(method).__name__, training or LanguageRecipe().training
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
    bench = TeacherCache(
        recipe=recipe, texts=corpus.rows, cache=out.parent / "teachers", command="lmdistill.distill(...)"
    )
    own = bench.pages(student.tokenizer)
    texts, pages = learned_by(method, bench, own, teacher)
    asked = asked_of(recipe.writing, recipe.texts, own, student.tokenizer)
    stage = LanguageStage(
        kind="distill",
        name=name,
        texts=texts,
        pages=pages,
        student=student,
        teacher=teacher,
        method=method,
        training=training,
        writing=assignment_of(recipe.writing, *asked),
        folder=out,
        recipe=_described(recipe, teacher, student),
        command=bench.command,
    )
    place = None if teacher is None else Path(teacher.source)
    run_language_stage(stage, place if place is not None and place.is_dir() else None)


def finetune_texts(
    model: str | Path, corpus: Corpus, *, training: Training | None, cache: Path
) -> LanguageNetwork:
    """`model` after supervised training on the texts; from `cache` where it was trained on them before.

    Args:
        model: Hub id or folder of a causal language model.
        corpus: From `load_texts`.
        training: That of a recipe unless given; holds the seed.
        cache: Folder of networks that were trained before.

    Raises:
        ModelError: If the model cannot be loaded.
        DivergedError: If the loss stops being a number.
    """
    recipe = LanguageRecipe(texts=corpus.settings)
    bench = TeacherCache(recipe=recipe, texts=corpus.rows, cache=cache, command="lmdistill.finetune(...)")
    network = load_causal(model)
    trim_vocabulary(network)
    return bench.tuned(network, training or recipe.training, "teacher")[0]


def _described(
    recipe: LanguageRecipe, teacher: LanguageNetwork | None, student: LanguageNetwork
) -> dict[str, Any]:
    """What stands in for the recipe of a run that was started from Python."""
    return {
        **plain(recipe),
        "teacher": None if teacher is None else {"model": teacher.source},
        "student": {"model": student.source, "layers": student.num_layers},
    }
