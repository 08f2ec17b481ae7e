"""The search space, and the recipes of drawn values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lmdistill.core.errors import ConfigError
from lmdistill.core.file_names import fitted
from lmdistill.recipes.classifier import Recipe
from lmdistill.recipes.code_policy import Code
from lmdistill.recipes.language_model import LanguageRecipe
from lmdistill.recipes.parsing import parse
from lmdistill.studies.axes import Choice, choices
from lmdistill.studies.combinations import Combination, combinations
from lmdistill.studies.grid import StudyCell, cell_of, combined_recipe
from lmdistill.studies.schema import Study
from lmdistill.studies.search.settings import Range

FIELDS = "search.fields"
"""Key of a study that holds the fields of its search."""

Scalar = str | int | float | bool | None
"""Values that Optuna can store."""


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """One dimension of the search space."""

    field: str
    """Dotted field of the recipe."""

    range: Range | None
    """The range, or None for choices."""

    choices: tuple[Choice, ...]
    """The choices; for a range its two ends."""

    @property
    def options(self) -> tuple[Scalar, ...]:
        """The choices as stored: scalars as they are, others by their labels."""
        return tuple(_stored(choice) for choice in self.choices)

    def choice(self, drawn: Scalar) -> Choice:
        """The choice that a stored value stands for."""
        if self.range is None:
            return self.choices[self.options.index(drawn)]
        return Choice(axis=self.field, label=str(drawn), value=drawn, changes={self.field: drawn}, key=FIELDS)


@dataclass(frozen=True, kw_only=True)
class Branch:
    """One search: of the whole study, or of one combination of its axes."""

    combination: Combination
    """The combination of axes that all its trials share."""

    space: tuple[Dimension, ...]
    """The search space."""

    @property
    def name(self) -> str:
        """Labels of the combination; empty without axes."""
        return "-".join(choice.short for choice in self.combination.choices)

    @property
    def folder(self) -> str:
        """The same in characters that a file name may have."""
        return "-".join(fitted(choice.short) for choice in self.combination.choices)

    @property
    def is_minimized(self) -> bool:
        """Whether a smaller headline metric is better, as for nats."""
        return isinstance(self.recipe(self._first), LanguageRecipe)

    def recipe(self, drawn: Sequence[Choice]) -> Recipe | LanguageRecipe:
        """The recipe of a trial, for every seed of the study.

        Raises:
            ConfigError: If it is refused; names the field that causes it.
        """
        return replace(combined_recipe(self.combination, drawn), seeds=self.combination.seeds)

    def drawn(self, values: Mapping[str, Scalar]) -> tuple[Choice, ...]:
        """The choices that stored values stand for."""
        return tuple(dimension.choice(values[dimension.field]) for dimension in self.space)

    def cells(self, number: int, values: Mapping[str, Scalar], out: Path) -> tuple[StudyCell, ...]:
        """The runs of a trial, one for each seed, named after its number.

        Raises:
            ConfigError: If the recipe is refused, or the name is too long.
        """
        recipe = self.recipe(self.drawn(values))
        ((row, method),) = recipe.methods.items()
        name = f"trial-{number:03d}"
        trial = Choice(axis="trial", label=name, value=number, changes={}, key=FIELDS)
        named: dict[str, Any] = {f"{row} {name}": method}
        called = replace(recipe, methods=named)
        seeds = self.combination.seeds
        return tuple(cell_of(called, (*self.combination.choices, trial), seed, out) for seed in seeds)

    def require(self) -> None:
        """Check every value in a recipe, beside the first value of all other dimensions.

        Raises:
            ConfigError: For a refused value, naming its field, or a name that is too long.
        """
        for place, dimension in enumerate(self.space):
            for choice in dimension.choices:
                self.recipe([*self._first[:place], choice, *self._first[place + 1 :]])
        self.cells(0, {one.field: _stored(one.choices[0]) for one in self.space}, Path())

    @property
    def _first(self) -> list[Choice]:
        """The first choice of each dimension."""
        return [dimension.choices[0] for dimension in self.space]


def branches(study: Study, *, code: Code = "refuse") -> tuple[Branch, ...]:
    """The searches of a study, one for each combination of its axes; all are validated.

    Args:
        study: A study with a search.
        code: What becomes of a class in a Python file; see `recipes.parsing.parse`.

    Raises:
        ConfigError: If a field is not known, has no values, is set twice, two searches have one name, or a
            recipe is refused.
    """
    assert study.search is not None
    space = tuple(_dimension(field, values) for field, values in study.search.fields.items())
    found = combinations(study, [dimension.choices for dimension in space], code=code)
    all_of_them = tuple(Branch(combination=combination, space=space) for combination in found)
    _require_different(all_of_them)
    for branch in all_of_them:
        branch.require()
    return all_of_them


def _require_different(found: Sequence[Branch]) -> None:
    """Check that no two searches have one name, since they would share trials and files."""
    names = dict[str, Branch]()
    for branch in found:
        twin = names.setdefault(branch.folder.casefold(), branch)
        if twin is not branch:
            ours, theirs = ({c.axis: c.label for c in one.combination.choices} for one in (twin, branch))
            raise ConfigError(
                f"two searches are called {branch.folder}: {ours} and {theirs}. Give the values of one axis "
                "other labels."
            )


def _dimension(field: str, values: Any) -> Dimension:
    """A dimension from a field and its values."""
    if field.split(".")[0] == "task":
        raise ConfigError(f"{FIELDS}.{field}: scores of different tasks do not compare. Make it an axis.")
    if not isinstance(values, Mapping) or not {"low", "high"} & set(values):
        return Dimension(field=field, range=None, choices=choices(field, values, FIELDS))
    span: Range = parse(Range, values, f"{FIELDS}.{field}")
    ends = list(dict.fromkeys([span.low, span.high]))
    return Dimension(field=field, range=span, choices=choices(field, ends, FIELDS))


def _stored(choice: Choice) -> Scalar:
    """A scalar as it is, anything else by its label."""
    is_scalar = choice.value is None or isinstance(choice.value, str | int | float)
    return choice.value if is_scalar else choice.label
