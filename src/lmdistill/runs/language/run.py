"""A whole recipe for language models: passages, teacher, and a run for each method and seed."""

from pathlib import Path

from lmdistill.core.atomic_io import write_text
from lmdistill.core.errors import ConfigError
from lmdistill.data.language.prompts import open_prompts
from lmdistill.engine.distributed import main_process_first, on_main_process
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.recipes.files import recipe_text
from lmdistill.recipes.language_model import LanguageRecipe
from lmdistill.recipes.parsing import plain
from lmdistill.runs.expand import Cell, cells, require_room
from lmdistill.runs.language.dataset import EncodedTexts, cut_pages, load_texts
from lmdistill.runs.language.generation_prompts import Prompt, asked_of, assignment_of
from lmdistill.runs.language.networks import TeacherCache, make_student, make_teacher
from lmdistill.runs.language.schedule_adapter import language_adapter
from lmdistill.runs.language.stage import LanguageStage, run_language_stage
from lmdistill.runs.language.teacher_completions import learned_by
from lmdistill.runs.run_folder import RECIPE, RunFolder
from lmdistill.runs.schedules.run_schedule import on_schedule
from lmdistill.runs.write_report import write_pages
from lmdistill.schedules.distillation import Direct


def run_language_recipe(recipe: LanguageRecipe, out: Path, *, command: str) -> list[Path]:
    """Do all that a recipe asks, in `out`; what is done is not done again, what was interrupted goes on.

    Networks that are trained first lie beside `out`, in `teachers/`, so that other recipes find them.

    Returns:
        The folders of the runs.
    """
    whole = list(cells(recipe, out))
    on_main_process(lambda: require_room(whole, out))
    with main_process_first():
        texts = load_texts(recipe.texts)
    bench = TeacherCache(recipe=recipe, texts=texts, cache=out.parent / "teachers", command=command)
    if recipe.writing.prompts is not None:
        open_prompts(Path(recipe.writing.prompts))  # refuses before the work
    teacher, teacher_folder = make_teacher(bench)
    pages = cut_pages(texts, teacher.tokenizer, recipe.texts)
    asked = asked_of(recipe.writing, recipe.texts, pages, teacher.tokenizer)
    if len(whole) > 1:
        on_main_process(lambda: write_text(out / RECIPE, recipe_text(recipe)))
    for cell in whole:
        _run_cell(cell, bench, (teacher, teacher_folder), pages, asked)
    if len(whole) > 1:
        on_main_process(lambda: write_pages(out, order=tuple(recipe.methods)))
    return [cell.folder for cell in whole]


def run_language_teacher(recipe: LanguageRecipe, cache: Path, *, command: str) -> Path:
    """Train the teacher of a recipe into `cache`, unless it is there; the folder of its model.

    Raises:
        ConfigError: If the teacher needs no training.
    """
    with main_process_first():
        texts = load_texts(recipe.texts)
    bench = TeacherCache(recipe=recipe, texts=texts, cache=cache, command=command)
    if recipe.teacher.model is not None and not recipe.teacher.tune:
        raise ConfigError(
            f"the teacher {recipe.teacher.model} is used as it is. Set teacher.tune=true to train it first."
        )
    folder = make_teacher(bench)[1]
    assert folder is not None
    return _model_in(folder)


def _run_cell(
    cell: Cell[LanguageRecipe],
    bench: TeacherCache,
    made: tuple[LanguageNetwork, Path | None],
    pages: EncodedTexts,
    asked: tuple[Prompt, ...],
) -> None:
    """One method with one seed."""
    recipe, method, (teacher, teacher_folder) = cell.recipe, cell.method, made
    if RunFolder(path=cell.folder).is_finished:
        return
    texts, pages = learned_by(method, bench, pages, teacher)
    stage = LanguageStage(
        kind="distill",
        name=cell.name,
        texts=texts,
        pages=pages,
        student=make_student(bench, teacher, seed=cell.seed),
        teacher=teacher,
        method=method,
        training=cell.training,
        writing=assignment_of(recipe.writing, *asked),
        folder=cell.folder,
        recipe=plain(recipe),
        command=bench.command,
    )
    if recipe.student.keep < 1 or recipe.schedule != Direct():
        on_main_process(lambda: RunFolder(path=cell.folder).require(stage.recipe))
        stage = on_schedule(
            stage,
            language_adapter(stage, recipe.texts),
            recipe.schedule,
            keep=recipe.student.keep,
            pruning=recipe.student.pruning,
            cache=bench.cache,
        )
    run_language_stage(stage, None if teacher_folder is None else _model_in(teacher_folder))


def _model_in(folder: Path) -> Path:
    """Where the weights lie: in the folder of a model, or in that of the run that made it."""
    return folder / "student" if (folder / "student").is_dir() else folder
