"""All that a recipe or a study can say, told from the fields of its dataclasses; and random values of it."""

import copy
import dataclasses
import types
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from lmdistill.core.errors import LmdistillError
from lmdistill.recipes.classifier import Recipe
from lmdistill.recipes.language_model import LanguageRecipe
from lmdistill.recipes.parsing import parse
from lmdistill.recipes.registry import REGISTRY
from lmdistill.recipes.yaml_tables import put

RECIPES = (Recipe, LanguageRecipe)

SCALARS = {
    bool: st.booleans(),
    int: st.integers(1, 6),
    float: st.floats(0.01, 1),
    str: st.text("abc/", min_size=1, max_size=5),
}


def options_of(hint: Any) -> tuple[Any, ...]:
    """The types that a field may have, apart from None."""
    if hint not in REGISTRY and get_origin(hint) in (types.UnionType, Union):
        return tuple(option for option in get_args(hint) if option is not types.NoneType)
    return (hint,)


def tables(hint: Any, path: str = "") -> Iterator[tuple[str, type, dict[str, Any]]]:
    """Path, class and settings of each table below a type; the settings are those that choose its class."""
    for option in options_of(hint):
        if option in REGISTRY:
            for name, cls in REGISTRY[option].classes.items():
                yield from _inside(cls, path, {"name": name})
        elif dataclasses.is_dataclass(option):
            yield from _inside(option, path, {})
        elif get_origin(option) is Mapping:
            for place, cls, settings in tables(get_args(option)[1], f"{path}.A"):
                yield place, cls, settings


def _inside(cls: type, path: str, chosen: dict[str, Any]) -> Iterator[tuple[str, type, dict[str, Any]]]:
    """The table of a class and all below it."""
    yield path, cls, nested(path, chosen)
    for name, hint in get_type_hints(cls).items():
        if name in {field.name for field in dataclasses.fields(cls)}:
            for place, inner, settings in tables(hint, f"{path}.{name}" if path else name):
                yield place, inner, merged(nested(path, chosen), settings)


def nested(path: str, value: Any) -> Any:
    """A table that has `value` at the dotted `path`."""
    for part in reversed(path.split(".") if path else []):
        value = {part: value}
    return value


def merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Both tables in one."""
    return {
        **first,
        **{
            key: merged(first[key], value) if isinstance(first.get(key), dict) else value
            for key, value in second.items()
        },
    }


def leaves(tree: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, Any]]:
    """Paths and values of everything that is no table."""
    for key, value in tree.items():
        path = f"{where}.{key}" if where else key
        if isinstance(value, dict) and value:
            yield from leaves(value, path)
        else:
            yield path, value


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type, as YAML has them."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint in REGISTRY:
        return st.one_of(
            [
                tables_of(cls).map(lambda table, name=name: {"name": name, **table})
                for name, cls in REGISTRY[hint].classes.items()
            ]
        )
    if dataclasses.is_dataclass(hint):
        return tables_of(hint)
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is Mapping:
        return st.dictionaries(st.text("AB ", min_size=1, max_size=3), values_of(inner[1]), max_size=3)
    if origin is tuple:
        if inner[-1] is Ellipsis:
            return st.lists(values_of(inner[0]), min_size=1, max_size=3)
        return st.tuples(*map(values_of, inner)).map(list)
    if inner:
        return st.one_of([st.none() if option is types.NoneType else values_of(option) for option in inner])
    return SCALARS[hint]


def tables_of(cls: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the fields of a dataclass; they need not fit each other."""
    hints = get_type_hints(cls)
    return st.fixed_dictionaries(
        {}, optional={f.name: values_of(hints[f.name]) for f in dataclasses.fields(cls)}
    )


def accepted(hint: Any, table: Mapping[str, Any]) -> Any:
    """The object of those settings of a table that fit the ones before; None if it takes none of them."""
    kept: dict[str, Any] = {}
    found = None
    for path, value in leaves(table):
        tried = copy.deepcopy(kept)
        try:
            put(tried, path, value, said="test")
            found, kept = parse(hint, tried), tried
        except LmdistillError:
            continue
    return found
