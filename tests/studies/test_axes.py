"""The fields that axes can set."""

import dataclasses

from lmdistill.recipes.classifier import Recipe
from lmdistill.recipes.language_model import LanguageRecipe
from lmdistill.studies.axes import KNOWN


def test_axes_can_set_every_field_of_a_recipe_but_its_seeds() -> None:
    names = {field.name for cls in (Recipe, LanguageRecipe) for field in dataclasses.fields(cls)}
    assert names - {"seeds"} | {"method"} == KNOWN
