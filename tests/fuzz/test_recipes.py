"""Recipes with random values: read, or refused in one line; what is read is written and read again alike."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmdistill.core.errors import LmdistillError
from lmdistill.recipes.files import read_recipe, recipe_of, recipe_text
from tests.fuzz.json_values import VALUES, changed, places, require_clean
from tests.torture.project import RECIPES

pytestmark = pytest.mark.slow

MANY = settings(
    max_examples=15_000, derandomize=False, database=None, suppress_health_check=list(HealthCheck)
)

TABLES = [json.loads(json.dumps(recipe)) for recipe in RECIPES.values()]
"""Recipes that are right."""

KEYS = sorted({".".join(map(str, place)) for table in TABLES for place in places(table)})


@MANY
@given(table=st.sampled_from(TABLES).flatmap(changed))
def test_a_table_is_a_recipe_or_one_line(table):
    try:
        recipe = recipe_of(table)
    except LmdistillError as error:
        require_clean(error)
        return
    assert recipe_of(yaml.safe_load(recipe_text(recipe))) == recipe


@MANY
@given(
    table=st.sampled_from(TABLES),
    cuts=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.text(max_size=3)), min_size=1, max_size=4),
)
def test_a_damaged_file_is_a_recipe_or_one_line(table, cuts, tmp_path):
    text = yaml.safe_dump(table)
    for where, length, put in cuts:
        at = round(where * len(text))
        text = text[:at] + put + text[at + length :]
    path = Path(tmp_path, "recipe.yaml")
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        read_recipe(str(path), [])
    except LmdistillError as error:
        require_clean(error)


@MANY
@given(
    table=st.sampled_from(TABLES),
    key=st.sampled_from(KEYS) | st.text(max_size=12),
    value=VALUES.map(lambda value: json.dumps(value)) | st.text(max_size=12),
)
def test_a_setting_of_the_command_line_is_taken_or_one_line(table, key, value, tmp_path):
    path = Path(tmp_path, "right.yaml")
    path.write_text(yaml.safe_dump(table))
    try:
        read_recipe(str(path), [f"{key}={value}"])
    except LmdistillError as error:
        require_clean(error)
