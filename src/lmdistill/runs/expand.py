"""The runs of a recipe: one for each method and seed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from lmdistill.core.errors import RunError
from lmdistill.core.protocols import Method
from lmdistill.engine.training_settings import Training
from lmdistill.methods import TFIDF
from lmdistill.recipes.classifier import Recipe
from lmdistill.recipes.language_model import LanguageRecipe
from lmdistill.recipes.serialization import plain
from lmdistill.records.record import RECIPE
from lmdistill.runs.run_folder import INPUTS, RunFolder

AnyRecipe = TypeVar("AnyRecipe", Recipe, LanguageRecipe)


@dataclass(frozen=True, kw_only=True)
class Cell(Generic[AnyRecipe]):
    """One run of a recipe."""

    recipe: AnyRecipe
    """The recipe with this method and this seed alone."""

    folder: Path
    """The run folder."""

    @property
    def name(self) -> str:
        """Name of the method, which labels the run in tables."""
        return next(iter(self.recipe.methods))

    @property
    def method(self) -> Method:
        """The distillation method; not for a run of a `baseline`."""
        method = self.recipe.methods[self.name]
        assert not isinstance(method, TFIDF)
        return method

    @property
    def baseline(self) -> TFIDF | None:
        """The method if it trains no network, so that the run is one of its own; None for others."""
        method = self.recipe.methods[self.name]
        return method if isinstance(method, TFIDF) else None

    @property
    def seed(self) -> int:
        """Seed of the student, its batches and dropout."""
        return self.recipe.seeds[0]

    @property
    def training(self) -> Training:
        """Training settings with the seed of this run."""
        return replace(self.recipe.training, seed=self.seed)


def cells(recipe: AnyRecipe, out: Path) -> Iterator[Cell[AnyRecipe]]:
    """The runs of a recipe: `out` itself if there is one, else `out/NAME-seedN` for each method and seed."""
    single = len(recipe.methods) == len(recipe.seeds) == 1
    for name, method in recipe.methods.items():
        for seed in recipe.seeds:
            folder = out if single else out / f"{name}-seed{seed}"
            yield Cell(recipe=replace(recipe, methods={name: method}, seeds=(seed,)), folder=folder)


def require_room(runs: Sequence[Cell[AnyRecipe]], out: Path) -> None:
    """Check before anything is loaded that `out` is free or holds runs of this recipe.

    Raises:
        RunError: If it holds something else, naming that or the first setting that differs.
    """
    if len(runs) > 1:
        is_run = (out / INPUTS).exists()
        if is_run or (
            out.exists() and not (out / RECIPE).is_file() and (out.is_file() or any(out.iterdir()))
        ):
            raise RunError(
                f"{out} exists and holds {'one run' if is_run else 'other files'}; this recipe asks for "
                f"{len(runs)} runs. Choose another --out, or remove it."
            )
    for cell in runs:
        RunFolder(path=cell.folder).require(plain(cell.recipe))
