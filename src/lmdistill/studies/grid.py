"""The cells of a study: the product of its axes and seeds, each a recipe with one run.

All run folders lie side by side in the folder of the study. What runs share (teachers, completions, augmented
texts) lies beside a run folder, so all cells share it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lmdistill.core.errors import ConfigError, LmdistillError
from lmdistill.core.file_names import fitted
from lmdistill.core.fingerprint import fingerprint
from lmdistill.recipes.classifier import Recipe
from lmdistill.recipes.code_policy import Code
from lmdistill.recipes.files import recipe_of
from lmdistill.recipes.language_model import LanguageRecipe
from lmdistill.recipes.serialization import plain
from lmdistill.studies.axes import Choice
from lmdistill.studies.combinations import SEED, Combination, changed, combinations, row_label
from lmdistill.studies.schema import LONGEST, Study


@dataclass(frozen=True, kw_only=True)
class StudyCell:
    """One run of a study."""

    name: str
    """Name of the run folder."""

    folder: Path
    """The run folder."""

    recipe: Recipe | LanguageRecipe
    """Its recipe with one method and one seed; the name of the method is its row in tables."""

    labels: Mapping[str, str]
    """Label of each axis, and `seed`."""

    @property
    def row(self) -> str:
        """Label of its row in tables."""
        return next(iter(self.recipe.methods))


def study_cells(study: Study, out: Path, *, code: Code = "refuse") -> tuple[StudyCell, ...]:
    """All cells in the order of the axes, seeds last; every recipe is validated.

    A base with several methods has them as its last axis, unless the study says `method` itself.

    Args:
        study: Fully resolved, as `read_study` returns it.
        out: Folder of the study.
        code: What becomes of a class in a Python file; see `recipes.parsing.parse`.

    Raises:
        ConfigError: If two axes set one field, two cells are the same, none is left, or a recipe is refused
            (names the axis that causes it).
    """
    found = [
        cell_of(recipe, each.choices, seed, out)
        for each in combinations(study, code=code)
        for recipe in [combined_recipe(each)]
        for seed in each.seeds
    ]
    _require_different(found)
    return tuple(found)


def cell_of(
    recipe: Recipe | LanguageRecipe, combination: Sequence[Choice], seed: int, out: Path
) -> StudyCell:
    """The cell of one combination and one seed.

    Raises:
        ConfigError: If the name of its folder is too long.
    """
    labels = [choice.short for choice in combination] or list(recipe.methods)
    name = f"{'-'.join(fitted(label) for label in labels)}-seed{seed}"
    size = len(name.encode())
    if size > LONGEST:
        raise ConfigError(
            f"the name of the cell {name} has {size} bytes, and {LONGEST} fit. Give short labels."
        )
    return StudyCell(
        name=name,
        folder=out / name,
        recipe=replace(recipe, seeds=(seed,)),
        labels={**{choice.axis: choice.label for choice in combination}, SEED: str(seed)},
    )


def combined_recipe(combination: Combination, drawn: Sequence[Choice] = ()) -> Recipe | LanguageRecipe:
    """The recipe of a combination, its one method named like its row; `drawn` is set beside the axes.

    Raises:
        ConfigError: If a recipe is refused; names the axis that is to blame.
    """
    try:
        recipe = recipe_of(combination.settings(drawn), code=combination.code)
    except LmdistillError as error:
        blamed = _blamed(combination, drawn, str(error))
        raise ConfigError(f"{blamed}: {error}") from None
    if len(recipe.methods) > 1:
        raise ConfigError(
            f"a cell has the methods {', '.join(recipe.methods)}, and it must have one. Make them an axis, "
            "as in axes: {method: {KD: {name: kd}}}."
        )
    ((label, method),) = recipe.methods.items()
    named: dict[str, Any] = {row_label(label, combination.choices, combination.axes): method}
    return replace(recipe, methods=named)


def _blamed(combination: Combination, drawn: Sequence[Choice], message: str) -> str:
    """Where the error of a refused cell comes from: the base, `set`, an axis, or the combination."""
    changes, chosen = dict(combination.changes), (*combination.choices, *drawn)
    tried: list[tuple[str, dict[str, Any]]] = [
        ("base", {}),
        ("set", changes),
        *((choice.place, {**changes, **choice.changes}) for choice in chosen),
    ]
    for where, some in tried:
        try:
            recipe_of(changed(combination.base, some, "axes"), code=combination.code)
        except LmdistillError as error:
            if str(error) == message:
                return where
    return " ".join(f"{choice.axis}={choice.label}" for choice in chosen) or "base"


def _require_different(cells: Sequence[StudyCell]) -> None:
    """Check that no two cells have one name, or differ only in their labels."""
    names, runs = dict[str, StudyCell](), dict[str, StudyCell]()
    for cell in cells:
        method = next(iter(cell.recipe.methods.values()))
        run = fingerprint({**plain(cell.recipe), "methods": plain(method)})
        if run in runs:
            raise ConfigError(
                f"the cells {runs[run].name} and {cell.name} are the same run under two labels. Remove one."
            )
        twin = names.setdefault(cell.name.casefold(), cell)
        if twin is not cell:
            raise ConfigError(
                f"two cells are called {cell.name}: {dict(twin.labels)} and {dict(cell.labels)}. Give the "
                "values of one axis other labels."
            )
        runs[run] = cell
