"""The cells of a study: the product of its axes and seeds, each a recipe with one run.

All run folders lie side by side in the folder of the study. What runs share (teachers, completions, augmented
texts) lies beside a run folder, so all cells share it.
"""

import copy
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lmdistill.core.errors import ConfigError, LmdistillError, UnknownNameError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.recipes.classifier import Recipe
from lmdistill.recipes.files import recipe_of
from lmdistill.recipes.language_model import LanguageRecipe
from lmdistill.recipes.serialization import plain
from lmdistill.recipes.yaml_tables import put
from lmdistill.studies.axes import METHOD, Choice, choices, meant, with_unambiguous_names
from lmdistill.studies.schema import LONGEST, UNFIT, Study

SEED = "seed"


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


@dataclass(frozen=True, kw_only=True)
class Combination:
    """One value of each axis."""

    base: Mapping[str, Any]
    """Settings of the base recipe."""

    changes: Mapping[str, Any]
    """Settings of every cell by dotted field, over the base."""

    choices: tuple[Choice, ...]
    """The chosen value of each axis."""

    axes: tuple[tuple[Choice, ...], ...]
    """All values of each axis."""

    seeds: tuple[int, ...]
    """Seeds that are not skipped."""

    def recipe(self, drawn: Sequence[Choice] = ()) -> Recipe | LanguageRecipe:
        """The recipe; its one method bears the name of the row, and `drawn` is set beside the axes.

        Raises:
            ConfigError: If a recipe is refused; names the axis that causes it.
        """
        return _recipe(self.base, self.changes, self.choices, self.axes, drawn)


def study_cells(study: Study, out: Path) -> tuple[StudyCell, ...]:
    """All cells in the order of the axes, seeds last; every recipe is validated.

    A base with several methods has them as its last axis, unless the study says `method` itself.

    Args:
        study: Fully resolved, as `read_study` returns it.
        out: Folder of the study.

    Raises:
        ConfigError: If two axes set one field, two cells are the same, none is left, or a recipe is refused
            (names the axis that causes it).
    """
    found = [
        cell_of(each.recipe(), each.choices, seed, out) for each in combinations(study) for seed in each.seeds
    ]
    _require_different(found)
    return tuple(found)


def combinations(study: Study, searched: Sequence[Sequence[Choice]] = ()) -> tuple[Combination, ...]:
    """All combinations of one value of each axis, in the order of the axes.

    Args:
        study: Fully resolved, as `read_study` returns it.
        searched: Fields that a search sets, which no axis may set too.

    Raises:
        ConfigError: If two axes set one field, or none is left.
    """
    assert isinstance(study.base, dict)  # read_study has looked it up
    if "seeds" in study.set:
        raise ConfigError("set.seeds: seeds are a key of the study beside set. Move them there.")
    base = {key: value for key, value in study.base.items() if key != "seeds"}
    axes = [choices(axis, values) for axis, values in study.axes.items()]
    methods, changes = _methods_of(_changed(base, study.set, "set"), [*axes, *searched]), study.set
    if methods:  # their values hold what is set in them
        axes += methods
        changes = {path: value for path, value in changes.items() if path.split(".")[0] != "methods"}
    axes = with_unambiguous_names(axes)
    _require_apart(changes, [*axes, *searched])
    skips, found = _skips(study, axes), []
    for chosen in itertools.product(*axes):
        seeds = tuple(seed for seed in study.seeds if not _is_skipped(skips, chosen, seed))
        if seeds:
            found.append(
                Combination(base=base, changes=changes, choices=chosen, axes=tuple(axes), seeds=seeds)
            )
    if not found:
        raise ConfigError("skip leaves out every cell of the study. Remove an entry of it.")
    return tuple(found)


def cell_of(
    recipe: Recipe | LanguageRecipe, combination: Sequence[Choice], seed: int, out: Path
) -> StudyCell:
    """The cell of one combination and one seed.

    Raises:
        ConfigError: If the name of its folder is too long.
    """
    labels = [choice.short for choice in combination] or list(recipe.methods)
    name = f"{'-'.join(fit(label) for label in labels)}-seed{seed}"
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


def fit(label: str) -> str:
    """A label in characters that a folder name may have."""
    kept = "".join("_" if char in UNFIT or ord(char) < 32 else char for char in label)
    return re.sub("_+", "_", kept).strip("._ ") or "_"


def _recipe(
    base: Mapping[str, Any],
    changes: Mapping[str, Any],
    combination: Sequence[Choice],
    axes: Sequence[Sequence[Choice]],
    drawn: Sequence[Choice],
) -> Recipe | LanguageRecipe:
    """The recipe of a combination; its one method bears the name of the row in tables."""
    all_of_it = (*combination, *drawn)
    own = {path: value for choice in all_of_it for path, value in choice.changes.items()}
    try:
        recipe = recipe_of(_changed(base, {**changes, **own}, "axes"))
    except LmdistillError as error:
        raise ConfigError(f"{_blamed(base, changes, all_of_it, str(error))}: {error}") from None
    if len(recipe.methods) > 1:
        raise ConfigError(
            f"a cell has the methods {', '.join(recipe.methods)}, and it must have one. Make them an axis, "
            "as in axes: {method: {KD: {name: kd}}}."
        )
    ((label, method),) = recipe.methods.items()
    return replace(recipe, methods={_row(label, combination, axes): method})


def _row(label: str, combination: Sequence[Choice], axes: Sequence[Sequence[Choice]]) -> str:
    """Label of the row: the method and every axis but the task, which has a table of its own."""
    parts = []
    for choice, values in zip(combination, axes, strict=True):
        tasks = [repr(value.changes.get("task")) for value in values]
        if METHOD in choice.changes:
            label = choice.label
        elif choice.axis != "task" or len(set(tasks)) < len(tasks):
            parts.append(choice.title)
    return " ".join(fit(part) for part in [label, *parts])


def _changed(base: Mapping[str, Any], changes: Mapping[str, Any], said: str) -> dict[str, Any]:
    """`base` with fields set; whole tables are set before their entries, in whatever order they are written.

    The only method in `methods` can be reached as `method`, and a new `method` replaces all methods.
    """
    table = copy.deepcopy(dict(base))
    for path, value in sorted(changes.items(), key=lambda item: item[0].count(".")):
        first, _, rest = path.partition(".")
        several = table.get("methods")
        if path in (METHOD, "methods"):
            table.pop(METHOD, None)
            table.pop("methods", None)
        elif first == METHOD and METHOD not in table and isinstance(several, dict) and len(several) == 1:
            path = f"methods.{next(iter(several))}.{rest}"
        put(table, path, copy.deepcopy(value), said=f"{said}: {path}")
    return table


def _methods_of(start: Mapping[str, Any], axes: Sequence[Sequence[Choice]]) -> list[tuple[Choice, ...]]:
    """The methods of a base with several of them as an axis, if no axis chooses them."""
    methods = start.get("methods")
    chosen = {path for values in axes for choice in values for path in choice.changes}
    if not isinstance(methods, Mapping) or len(methods) < 2 or chosen & {METHOD, "methods"}:
        return []
    return [choices(METHOD, {label: {METHOD: settings} for label, settings in methods.items()})]


def _require_apart(changes: Mapping[str, Any], axes: Sequence[Sequence[Choice]]) -> None:
    """Check that no field is set by two axes, or by an axis and `set`."""
    seen = dict.fromkeys(changes, "set")
    for values in axes:
        for path in {path for choice in values for path in choice.changes}:
            if path in seen:
                raise ConfigError(f"{path} is set by {seen[path]} and by {values[0].place}. Remove one.")
        seen |= {path: choice.place for choice in values for path in choice.changes}


def _skips(study: Study, axes: Sequence[Sequence[Choice]]) -> list[dict[str, set[str]]]:
    """The entries of `skip` as labels; checks that they exist."""
    known = {values[0].axis: values for values in axes}
    seeds = [str(seed) for seed in study.seeds]
    found = [dict[str, set[str]]() for _ in study.skip]
    for entry, labels in zip(study.skip, found, strict=True):
        for axis, wanted in entry.items():
            if axis not in {*known, SEED}:
                raise UnknownNameError("axis to skip", axis, [*known, SEED])
            labels[axis] = {str(wanted)} & {*seeds} if axis == SEED else meant(known[axis], wanted)
            if not labels[axis]:
                there = seeds if axis == SEED else [choice.label for choice in known[axis]]
                raise UnknownNameError(f"value of {axis} to skip", str(wanted), there)
    return found


def _is_skipped(skips: Sequence[Mapping[str, set[str]]], combination: Sequence[Choice], seed: int) -> bool:
    """Whether an entry of `skip` matches a combination and seed."""
    told = {**{choice.axis: choice.label for choice in combination}, SEED: str(seed)}
    return any(all(told[axis] in labels for axis, labels in entry.items()) for entry in skips)


def _blamed(
    base: Mapping[str, Any], changes: Mapping[str, Any], combination: Sequence[Choice], message: str
) -> str:
    """Where the error of a refused cell comes from: the base, `set`, an axis, or the combination."""
    tried: Iterator[tuple[str, dict[str, Any]]] = iter(
        [
            ("base", {}),
            ("set", dict(changes)),
            *((choice.place, {**changes, **choice.changes}) for choice in combination),
        ]
    )
    for where, some in tried:
        try:
            recipe_of(_changed(base, some, "axes"))
        except LmdistillError as error:
            if str(error) == message:
                return where
    return " ".join(f"{choice.axis}={choice.label}" for choice in combination) or "base"


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
