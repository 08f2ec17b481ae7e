"""Recipes from files: find, read, override, write."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from lmdistill.core.errors import ConfigError
from lmdistill.core.protocols import Method
from lmdistill.recipes.classifier import Recipe
from lmdistill.recipes.language_model import LanguageRecipe
from lmdistill.recipes.parsing import parse
from lmdistill.recipes.serialization import plain
from lmdistill.recipes.yaml_tables import override, table_of


def read_recipe(name: str | Path, overrides: Sequence[str] = ()) -> Recipe | LanguageRecipe:
    """Read a built-in recipe or a recipe file, with `a.b=value` overrides applied in order.

    Raises:
        UnknownNameError: If there is no such recipe, or a key or a name in it does not exist.
        ConfigError: If it is not YAML, or a value is outside its type or range.
    """
    table = table_of(str(name))
    for text in overrides:
        override(table, text)
    return recipe_of(table)


def recipe_of(table: dict[str, Any]) -> Recipe | LanguageRecipe:
    """A recipe from plain values; `method:` is short for `methods` with one entry.

    With the key `texts` it is a recipe for language models, otherwise one for classifiers and scorers.
    """
    table = dict(table)
    if "method" in table:
        single = table.pop("method")
        if table.get("methods") is None:
            method = parse(Method, single, "method")
            table["methods"] = {type(method).__name__: method}
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
    recipe: Recipe | LanguageRecipe = parse(LanguageRecipe if "texts" in table else Recipe, table)
    return recipe


def recipe_text(recipe: Recipe | LanguageRecipe) -> str:
    """The recipe as YAML with every default; reading it gives an equal recipe."""
    table = plain(recipe)
    del table["training"]["seed"]
    text: str = yaml.safe_dump(table, sort_keys=False, allow_unicode=True)
    return text
