"""Laws of all that a recipe or a study can say, for each field of each dataclass."""

import dataclasses
import re
import types
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from lmdistill.core.errors import LmdistillError, UnknownNameError
from lmdistill.recipes.parsing import parse
from lmdistill.recipes.registry import REGISTRY
from lmdistill.recipes.serialization import plain
from lmdistill.studies.schema import Study
from lmdistill.studies.search.settings import Range
from tests.recipes.configuration import (
    RECIPES,
    accepted,
    leaves,
    merged,
    nested,
    options_of,
    tables,
    tables_of,
)


@pytest.mark.parametrize("cls", RECIPES)
@given(data=st.data())
def test_a_recipe_that_is_written_down_reads_back_equal(cls, data):
    recipe = accepted(cls, data.draw(tables_of(cls)))
    assume(recipe is not None)
    assert parse(cls, yaml.safe_load(yaml.safe_dump(plain(recipe)))) == recipe


DEFAULTS = [(cls, path, value) for cls in RECIPES for path, value in leaves(plain(cls()))]


@pytest.mark.parametrize(("cls", "path", "value"), DEFAULTS, ids=lambda value: str(value))
def test_a_default_that_is_written_down_changes_nothing(cls, path, value):
    """So each table on the way leaves its other fields as the table around it has them."""
    table = nested(path, value)
    for other, name in leaves(plain(cls())):
        if other.endswith(".name") and path.startswith(other.removesuffix("name")):
            table = merged(nested(other, name), table)
    assert parse(cls, table) == cls()


TABLES = [(root, *table) for root in (*RECIPES, Study, *REGISTRY) for table in tables(root)]
"""Root, path, class and settings of each table that there can be."""


@pytest.mark.parametrize(
    ("root", "path", "cls", "settings"),
    TABLES,
    ids=[f"{getattr(root, '__name__', root)}:{path}:{cls.__name__}" for root, path, cls, _ in TABLES],
)
def test_an_unknown_key_is_refused_with_its_whole_path_and_the_nearest_one(root, path, cls, settings):
    known = [field.name for field in dataclasses.fields(cls)]
    for key in ("qqq", *(f"{name}x" for name in known)):
        with pytest.raises(UnknownNameError) as refused:
            parse(root, merged(settings, nested(path, {key: 1})))
        message = str(refused.value)
        assert message.startswith(f"no setting of {path or 'a recipe'} is called {key!r}.")
        assert message.endswith(f"Known: {', '.join(sorted(known))}." if known else "There are none.")
        near = re.search(r"Did you mean '(\w+)'\?", message)
        assert near is None if key == "qqq" else near is not None and near[1] in known


CANDIDATES = [None, True, 3, 1.5, "3", "no such", [], [None], {}]
"""Values of all types that YAML has."""


def taken(hint):
    """Which candidates fit a type, as text."""
    if dataclasses.is_dataclass(hint) or get_origin(hint) in (Mapping, dict):
        return ["{}"]
    if get_origin(hint) is tuple:
        texts = ["'3'", "'no such'"] if hint in (tuple[str, ...], tuple[str | int, ...]) else []
        return ["[]", *texts, *(["3"] if hint == tuple[str | int, ...] else [])]
    scalars = {bool: ["True"], int: ["3"], float: ["3", "1.5", "'3'"], str: ["'3'", "'no such'"]}
    return list(map(repr, CANDIDATES)) if hint is Any else scalars.get(hint, [])


def expected(hint):
    """What a message says of a type."""
    if get_origin(hint) is Literal:
        return "|".join(rf"({option!r}.*got |Known: .*\b{option}\b)" for option in get_args(hint))
    if get_origin(hint) is tuple:
        return "a valid list.*got "
    if hint in REGISTRY:
        return rf"a table of keys and values, got |Known {REGISTRY[hint].kind}s: "
    names = {bool: "boolean", int: "integer", float: "number", str: "string"}
    return f"a valid {names[hint]}.*got " if hint in names else "a table of keys and values, got "


FIELDS = [
    (cls, field.name, get_type_hints(cls)[field.name])
    for cls in dict.fromkeys([*(cls for _, _, cls, _ in TABLES), Range])
    for field in dataclasses.fields(cls)
]


@pytest.mark.parametrize(
    ("cls", "name", "hint"), FIELDS, ids=[f"{cls.__name__}.{name}" for cls, name, _ in FIELDS]
)
def test_a_value_of_another_type_is_refused_with_its_path_and_what_is_expected(cls, name, hint):
    options = options_of(hint)
    right = {text for option in options for text in taken(option)}
    if types.NoneType in get_args(hint):
        right.add("None")
    for value in CANDIDATES:
        if repr(value) in right:
            continue
        with pytest.raises(LmdistillError) as refused:
            parse(cls, {name: value}, "here")
        message = str(refused.value)
        if value == [None] and f"here.{name}[0]" in message:
            assert re.search(r"\[0\] (must be a .*, got None\.|is called 'None')", message)
            continue
        assert re.search(rf"\bhere\.{name}\b", message)
        assert value == {} or repr(value) in message or repr(str(value)) in message
        assert all(re.search(expected(option), message) for option in options), message
