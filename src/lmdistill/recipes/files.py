"""Recipes from files: find, read, override, write."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from lmdistill.core.errors import ConfigError
from lmdistill.methods import AnyMethod
from lmdistill.recipes.classifier import Recipe
from lmdistill.recipes.code_policy import Code
from lmdistill.recipes.custom_classes import label_of
from lmdistill.recipes.language_model import LanguageRecipe
from lmdistill.recipes.parsing import parse
from lmdistill.recipes.serialization import plain
from lmdistill.recipes.yaml_tables import override, table_of


def read_recipe(
    name: str | Path, overrides: Sequence[str] = (), *, allow_code: bool = False
) -> Recipe | LanguageRecipe:
    """Read a built-in recipe or a recipe file, with `a.b=value` overrides applied in order.

    Args:
        name: A built-in recipe or a YAML file.
        overrides: `a.b=value` for fields of the recipe.
        allow_code: Run the Python files of classes that the recipe names as `path.py:Class`.

    Raises:
        UnknownNameError: If there is no such recipe, or a key or a name in it does not exist.
        ConfigError: If it is not YAML, or a value is outside its type or range; if it names a class in a
            Python file and `allow_code` is off.
    """
    return recipe_of(_overridden(name, overrides), code="run" if allow_code else "refuse")


def read_recipe_without_code(name: str | Path, overrides: Sequence[str] = ()) -> Recipe | LanguageRecipe:
    """Like `read_recipe`, with an `UnloadedClass` for each class in a Python file.

    Raises:
        UnknownNameError: If there is no such recipe, or a key or a name in it does not exist.
        ConfigError: If it is not YAML, or a value is outside its type or range.
    """
    return recipe_of(_overridden(name, overrides), code="name")


def _overridden(name: str | Path, overrides: Sequence[str]) -> dict[str, Any]:
    """Plain values of a recipe with the overrides applied."""
    table = table_of(str(name))
    for text in overrides:
        override(table, text)
    return table


def recipe_of(table: dict[str, Any], *, code: Code = "refuse") -> Recipe | LanguageRecipe:
    """A recipe from plain values; `method:` is short for `methods` with one entry.

    With the key `texts` it is a recipe for language models, otherwise one for classifiers and scorers.

    Args:
        table: Plain values.
        code: What becomes of a class in a Python file; see `parse`.
    """
    table = dict(table)
    if "method" in table:
        single = table.pop("method")
        if table.get("methods") is None:
            method = parse(AnyMethod, single, "method", code=code)
            table["methods"] = {label_of(method): method}
        elif single is not None:
            raise ConfigError(
                "the recipe has method and methods; keep one of them (--set method=null drops one), "
                "or set methods.NAME.field."
            )
    if isinstance(table.get("training"), dict) and table["training"].get(
        "seed"
    ):  # 0 is in every run's own file
        raise ConfigError(
            f"training.seed is {table['training']['seed']}; a recipe has a list of seeds. Set seeds=[...]."
        )
    recipe: Recipe | LanguageRecipe = parse(LanguageRecipe if "texts" in table else Recipe, table, code=code)
    return recipe


def recipe_text(recipe: Recipe | LanguageRecipe) -> str:
    """The recipe as YAML with every default; reading it gives an equal recipe."""
    table = plain(recipe)
    del table["training"]["seed"]
    text: str = yaml.safe_dump(table, sort_keys=False, allow_unicode=True)
    return text
