"""A whole recipe: data, teacher, and a run for each method and seed."""

import logging
from dataclasses import replace
from pathlib import Path

from lmdistill.core.atomic_io import write_text
from lmdistill.core.errors import ConfigError
from lmdistill.data.tasks.task import Task
from lmdistill.engine.distributed import main_process_first, on_main_process
from lmdistill.recipes.classifier import Recipe
from lmdistill.recipes.files import recipe_text
from lmdistill.recipes.parsing import plain
from lmdistill.runs.classification.data import load_examples
from lmdistill.runs.classification.dataset import require_fit
from lmdistill.runs.classification.representation_map import require_classes
from lmdistill.runs.classification.schedule_adapter import classifier_adapter, require_tuned
from lmdistill.runs.classification.stage import Stage, run_stage
from lmdistill.runs.classification.student import make_student
from lmdistill.runs.classification.teacher import PreparedTeacher, keep_teacher, ready_teacher
from lmdistill.runs.expand import Cell, cells, require_room
from lmdistill.runs.run_folder import RECIPE, RunFolder
from lmdistill.runs.schedules.run_schedule import on_schedule, require_way
from lmdistill.runs.write_report import write_pages
from lmdistill.schedules.distillation import Direct

log = logging.getLogger("lmdistill")


def run_recipe(recipe: Recipe, out: Path, *, command: str) -> list[Path]:
    """Do all that a recipe asks, in `out`; what is done is not done again, what was interrupted goes on.

    Fine-tuned teachers lie beside `out`, in `teachers/`, so that other recipes find them.

    Returns:
        The folders of the runs.

    Raises:
        LmdistillError: For everything that the user can mend; nothing half-written stays.
    """
    whole = list(cells(recipe, out))
    on_main_process(lambda: require_room(whole, out))
    with main_process_first():
        examples = load_examples(recipe.task, recipe.data, cache=out.parent / "augmented")
    require_classes(recipe.map, examples.original)
    ready = ready_teacher(
        recipe.teacher,
        examples.original,
        max_length=recipe.data.max_length,
        cache=out.parent / "teachers",
        command=command,
        rehearse=lambda found: _rehearse(recipe, examples.original, found),
    )
    if len(whole) > 1:
        on_main_process(lambda: write_text(out / RECIPE, recipe_text(recipe)))
    for cell in whole:
        _run_cell(cell, examples.whole, ready, out, command)
    if len(whole) > 1:
        on_main_process(lambda: write_pages(out, order=tuple(recipe.methods)))
    return [cell.folder for cell in whole]


def run_teacher(recipe: Recipe, cache: Path, *, command: str) -> Path:
    """Fine-tune the teacher of a recipe into `cache`, unless it is there; the folder of its model.

    Raises:
        ConfigError: If the teacher needs no fine-tuning.
    """
    with main_process_first():
        examples = load_examples(recipe.task, recipe.data, cache=cache.parent / "augmented")
    ready = ready_teacher(
        recipe.teacher, examples.original, max_length=recipe.data.max_length, cache=cache, command=command
    )
    if ready.folder is None:
        raise ConfigError(
            f"the teacher {recipe.teacher.model} has a head for {recipe.task} already; use it as it is."
        )
    return ready.folder / "student"


def _rehearse(recipe: Recipe, task: Task, ready: PreparedTeacher) -> None:
    """Refuse what cannot be distilled with a teacher of this shape, before it is fine-tuned for hours."""
    student = make_student(recipe, ready, task, seed=recipe.seeds[0])
    require_fit(task, student, ready.network, max_length=recipe.data.max_length)
    require_way(
        recipe.schedule,
        student,
        ready.network.num_layers,
        keep=recipe.student.keep,
        pruning=recipe.student.pruning,
    )
    for method in recipe.methods.values():
        method.check(student, ready.network)


def _run_cell(cell: Cell[Recipe], task: Task, ready: PreparedTeacher, out: Path, command: str) -> None:
    """One method with one seed."""
    recipe = cell.recipe
    if RunFolder(path=cell.folder).is_finished:
        return
    stage = Stage(
        kind="distill",
        name=cell.name,
        task=task,
        student=make_student(recipe, ready, task, seed=cell.seed),
        teacher=ready.network,
        method=cell.method,
        training=cell.training,
        max_length=recipe.data.max_length,
        folder=cell.folder,
        teacher_folder=on_main_process(lambda: keep_teacher(ready, out / "teacher")),
        recipe=plain(recipe),
        command=command,
    )
    if recipe.student.keep < 1 or recipe.schedule != Direct():
        on_main_process(lambda: RunFolder(path=cell.folder).require(stage.recipe))
        require_tuned(stage)
        stage = on_schedule(
            stage,
            classifier_adapter(stage),
            recipe.schedule,
            keep=recipe.student.keep,
            pruning=recipe.student.pruning,
            cache=out.parent / "teachers",
        )
    run_stage(replace(stage, map=recipe.map))  # not those before it
