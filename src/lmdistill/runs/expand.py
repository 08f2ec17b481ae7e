"""The runs of a recipe: one for each method and seed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from lmdistill.core.errors import RunError
from lmdistill.core.protocols import Method
from lmdistill.engine.training_settings import Training
from lmdistill.recipes.classifier import Recipe
from lmdistill.recipes.language_model import LanguageRecipe
from lmdistill.recipes.parsing import plain
from lmdistill.runs.run_folder import INPUTS, RECIPE, RunFolder

AnyRecipe = TypeVar("AnyRecipe", Recipe, LanguageRecipe)


@dataclass(frozen=True, kw_only=True)
class Cell(Generic[AnyRecipe]):
    """One run of a recipe."""

    recipe: AnyRecipe
    """The recipe with this method and this seed alone."""

    folder: Path
    """Where it is written."""

    @property
    def name(self) -> str:
        """Label in tables."""
        return next(iter(self.recipe.methods))

    @property
    def method(self) -> Method:
        """How its student learns."""
        return self.recipe.methods[self.name]

    @property
    def seed(self) -> int:
        """Of the student."""
        return self.recipe.seeds[0]

    @property
    def training(self) -> Training:
        """How long, with the seed."""
        return replace(self.recipe.training, seed=self.seed)


def cells(recipe: AnyRecipe, out: Path) -> Iterator[Cell[AnyRecipe]]:
    """The runs of a recipe: `out` itself if there is one, else `out/NAME-seedN` for each method and seed."""
    single = len(recipe.methods) == len(recipe.seeds) == 1
    for name, method in recipe.methods.items():
        for seed in recipe.seeds:
            folder = out if single else out / f"{name}-seed{seed}"
            yield Cell(recipe=replace(recipe, methods={name: method}, seeds=(seed,)), folder=folder)


def require_room(whole: Sequence[Cell[AnyRecipe]], out: Path) -> None:
    """Refuse a folder that holds something else, before anything is loaded; some of the runs may be there.

    Raises:
        RunError: With what is there, or with the first setting that differs.
    """
    if len(whole) > 1:
        is_run = (out / INPUTS).exists()
        if is_run or (
            out.exists() and not (out / RECIPE).is_file() and (out.is_file() or any(out.iterdir()))
        ):
            raise RunError(
                f"{out} exists and holds {'one run' if is_run else 'other files'}; this recipe asks for "
                f"{len(whole)} runs. Choose another --out, or remove it."
            )
    for cell in whole:
        RunFolder(path=cell.folder).require(plain(cell.recipe))
