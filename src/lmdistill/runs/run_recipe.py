"""A whole recipe: data, teacher, and a run for each method and seed."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

from lmdistill.core.atomic_io import write_text
from lmdistill.core.errors import ConfigError
from lmdistill.engine.distributed import on_main_process, one_writer
from lmdistill.models.causal_lm import AnyNetwork
from lmdistill.recipes.classifier import Recipe
from lmdistill.recipes.files import recipe_text
from lmdistill.recipes.language_model import LanguageRecipe
from lmdistill.recipes.serialization import plain
from lmdistill.records.record import RECIPE
from lmdistill.runs.classification.linear_run import run_linear
from lmdistill.runs.classification.prepared_recipe import (
    PreparedClassification,
    prepare_classification,
    train_classifier_teacher,
)
from lmdistill.runs.expand import AnyRecipe, Cell, cells, require_room
from lmdistill.runs.find_rate import RateSearch, search_rate
from lmdistill.runs.language.prepared_recipe import prepare_language, train_language_teacher
from lmdistill.runs.language.training_defaults import with_chosen_training
from lmdistill.runs.run_folder import RunFolder
from lmdistill.runs.schedules.adapter import ScheduleAdapter
from lmdistill.runs.schedules.run_schedule import run_earlier_stages
from lmdistill.runs.stage import Stage, run_stage
from lmdistill.runs.write_report import complete, write_pages
from lmdistill.schedules.distillation import Direct


@runtime_checkable
class PreparedRecipe(Protocol[AnyRecipe, AnyNetwork]):
    """A recipe whose data are loaded and whose teacher is trained."""

    def stage(self, cell: Cell[AnyRecipe]) -> Stage[AnyNetwork]:
        """The run of one method and seed as if there were no schedule; its student is not pruned yet."""
        ...

    def schedule_adapter(self, stage: Stage[AnyNetwork]) -> ScheduleAdapter[AnyNetwork]:
        """What a schedule needs to prune and judge networks of this kind.

        Raises:
            ModelError: If the teacher has learned nothing, so that its units cannot be ranked.
        """
        ...

    def last_stage(self, stage: Stage[AnyNetwork]) -> Stage[AnyNetwork]:
        """`stage` with what only the last stage of a schedule has."""
        ...


def run_recipe(recipe: Recipe | LanguageRecipe, out: Path, *, command: str) -> list[Path]:
    """Run every method and seed of a recipe; finished runs are kept, interrupted ones continue.

    Teachers that are trained first lie beside `out`, in `teachers/`, so that other recipes find them.

    Args:
        recipe: For classifiers or for language models.
        out: Folder of the run, or of several runs.
        command: The command line, for the records.

    Returns:
        The folders of the runs.

    Raises:
        LmdistillError: For everything that the user can correct, such as another command that writes into
            `out`; nothing half-written stays.
    """
    if isinstance(recipe, LanguageRecipe):
        recipe = with_chosen_training(recipe)
    with ExitStack() as held:
        if not on_main_process(lambda: RunFolder(path=out).is_finished):
            held.enter_context(one_writer(out))
        if isinstance(recipe, LanguageRecipe):
            language = list(cells(recipe, out))
            on_main_process(lambda: require_room(language, out))
            return _run_cells(language, prepare_language(recipe, out, command=command), recipe, out)
        classification = list(cells(recipe, out))
        on_main_process(lambda: require_room(classification, out))
        prepared = prepare_classification(recipe, out, command=command)
        return _run_cells(classification, prepared, recipe, out)


def with_found_rate(
    recipe: Recipe | LanguageRecipe, out: Path, *, command: str
) -> tuple[Recipe | LanguageRecipe, RateSearch]:
    """The recipe with the learning rate that a search on its training rows finds best for its first run.

    Args:
        recipe: For classifiers or for language models; the rates that are tried lie around its own.
        out: Folder of the run, or of several runs. Results are kept beside it, in `teachers/`.
        command: The command line, for the records.

    Raises:
        LmdistillError: For everything that the user can correct.
    """
    if isinstance(recipe, LanguageRecipe):
        recipe = with_chosen_training(recipe)
        language = next(iter(cells(recipe, out)))
        on_main_process(lambda: _require_room_for_any_rate(language))
        prepared = prepare_language(recipe, out, command=command)
        found = search_rate(prepared, language, out.parent / "teachers")
    else:
        cell = next((cell for cell in cells(recipe, out) if cell.baseline is None), None)
        if cell is None:
            raise ConfigError(
                f"the methods {', '.join(recipe.methods)} train no network and have no learning rate. Leave "
                "--find-rate out."
            )
        on_main_process(lambda: _require_room_for_any_rate(cell))
        found = search_rate(
            prepare_classification(recipe, out, command=command), cell, out.parent / "teachers"
        )
    optimizer = replace(recipe.training.optimizer, learning_rate=found.best)
    return replace(recipe, training=replace(recipe.training, optimizer=optimizer)), found


def _require_room_for_any_rate(cell: Cell[AnyRecipe]) -> None:
    """Check that the folder of a run is free or holds it with any learning rate, before loading."""
    table = plain(cell.recipe)
    table["training"]["optimizer"]["learning_rate"] = None
    RunFolder(path=cell.folder).require(table)


def train_teacher(recipe: Recipe | LanguageRecipe, cache: Path, *, command: str) -> Path:
    """Train the teacher of a recipe into `cache`, unless it is there; the folder of its model.

    Raises:
        ConfigError: If the teacher needs no training.
    """
    if isinstance(recipe, LanguageRecipe):
        return train_language_teacher(with_chosen_training(recipe), cache, command=command)
    return train_classifier_teacher(recipe, cache, command=command)


def _run_cells(
    runs: Sequence[Cell[AnyRecipe]],
    prepared: PreparedRecipe[AnyRecipe, AnyNetwork],
    recipe: Recipe | LanguageRecipe,
    out: Path,
) -> list[Path]:
    """Every run of a recipe, and the pages of a folder of several."""
    if len(runs) > 1:
        on_main_process(lambda: write_text(out / RECIPE, recipe_text(recipe)))
    for cell in runs:
        if RunFolder(path=cell.folder).is_finished:
            on_main_process(partial(complete, cell.folder))
            continue
        with ExitStack() as held:
            if cell.folder != out:  # somebody may name it as a run of its own
                held.enter_context(one_writer(cell.folder))
            _run_cell(cell, prepared, out.parent / "teachers")
    if len(runs) > 1:
        on_main_process(lambda: write_pages(out, order=tuple(recipe.methods)))
    return [cell.folder for cell in runs]


def _run_cell(cell: Cell[AnyRecipe], prepared: PreparedRecipe[AnyRecipe, AnyNetwork], cache: Path) -> None:
    """One method with one seed; the stages of its schedule first."""
    if cell.baseline is not None:
        assert isinstance(prepared, PreparedClassification)
        run_linear(prepared.linear_run(cell, cell.baseline))
        return
    recipe, stage = cell.recipe, prepared.stage(cell)
    if recipe.student.keep < 1 or recipe.schedule != Direct():
        on_main_process(lambda: RunFolder(path=cell.folder).require(stage.recipe))
        stage = run_earlier_stages(
            stage,
            prepared.schedule_adapter(stage),
            recipe.schedule,
            keep=recipe.student.keep,
            pruning=recipe.student.pruning,
            cache=cache,
        )
    run_stage(prepared.last_stage(stage))
