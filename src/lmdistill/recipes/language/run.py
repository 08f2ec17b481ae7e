"""A whole recipe for language models: passages, teacher, and a run for each method and seed."""

from pathlib import Path

from lmdistill.core.errors import ConfigError
from lmdistill.core.storage import write_text
from lmdistill.data.prompts import open_prompts
from lmdistill.engine.processes import main_first, once
from lmdistill.models.causal import LanguageNetwork
from lmdistill.recipes.cells import Cell, cells, require_room
from lmdistill.recipes.construct import plain
from lmdistill.recipes.folder import RECIPE, Workplace
from lmdistill.recipes.language.assignment import Asked, asked_of, assignment_of
from lmdistill.recipes.language.completions import learned_by
from lmdistill.recipes.language.craft import language_craft
from lmdistill.recipes.language.networks import Bench, make_student, make_teacher
from lmdistill.recipes.language.passages import Pages, cut_pages, load_texts
from lmdistill.recipes.language.schema import LanguageRecipe
from lmdistill.recipes.language.stage import LanguageStage, run_language_stage
from lmdistill.recipes.pages import write_pages
from lmdistill.recipes.read import recipe_text
from lmdistill.recipes.schedule.stages import on_schedule
from lmdistill.schedules.plans import Direct


def run_language_recipe(recipe: LanguageRecipe, out: Path, *, command: str) -> list[Path]:
    """Do all that a recipe asks, in `out`; what is done is not done again, what was interrupted goes on.

    Networks that are trained first lie beside `out`, in `teachers/`, so that other recipes find them.

    Returns:
        The folders of the runs.
    """
    whole = list(cells(recipe, out))
    once(lambda: require_room(whole, out))
    with main_first():
        texts = load_texts(recipe.texts)
    bench = Bench(recipe=recipe, texts=texts, cache=out.parent / "teachers", command=command)
    if recipe.writing.prompts is not None:
        open_prompts(Path(recipe.writing.prompts))  # refuses before the work
    teacher, teacher_folder = make_teacher(bench)
    pages = cut_pages(texts, teacher.tokenizer, recipe.texts)
    asked = asked_of(recipe.writing, recipe.texts, pages, teacher.tokenizer)
    if len(whole) > 1:
        once(lambda: write_text(out / RECIPE, recipe_text(recipe)))
    for cell in whole:
        _run_cell(cell, bench, (teacher, teacher_folder), pages, asked)
    if len(whole) > 1:
        once(lambda: write_pages(out, order=tuple(recipe.methods)))
    return [cell.folder for cell in whole]


def run_language_teacher(recipe: LanguageRecipe, cache: Path, *, command: str) -> Path:
    """Train the teacher of a recipe into `cache`, unless it is there; the folder of its model.

    Raises:
        ConfigError: If the teacher needs no training.
    """
    with main_first():
        texts = load_texts(recipe.texts)
    bench = Bench(recipe=recipe, texts=texts, cache=cache, command=command)
    if recipe.teacher.model is not None and not recipe.teacher.tune:
        raise ConfigError(
            f"the teacher {recipe.teacher.model} is used as it is. Set teacher.tune=true to train it first."
        )
    folder = make_teacher(bench)[1]
    assert folder is not None
    return _model_in(folder)


def _run_cell(
    cell: Cell[LanguageRecipe],
    bench: Bench,
    made: tuple[LanguageNetwork, Path | None],
    pages: Pages,
    asked: tuple[Asked, ...],
) -> None:
    """One method with one seed."""
    recipe, method, (teacher, teacher_folder) = cell.recipe, cell.method, made
    if Workplace(path=cell.folder).is_finished:
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
        once(lambda: Workplace(path=cell.folder).require(stage.recipe))
        stage = on_schedule(
            stage,
            language_craft(stage, recipe.texts),
            recipe.schedule,
            keep=recipe.student.keep,
            pruning=recipe.student.pruning,
            cache=bench.cache,
        )
    run_language_stage(stage, None if teacher_folder is None else _model_in(teacher_folder))


def _model_in(folder: Path) -> Path:
    """Where the weights lie: in the folder of a model, or in that of the run that made it."""
    return folder / "student" if (folder / "student").is_dir() else folder
