"""Tables of the fields of a dataclass."""

import ast
import dataclasses
import importlib
import inspect
import textwrap
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml

from lmdistill.core.protocols import Method
from lmdistill.data.augment import Augmenter
from lmdistill.methods import AnyMethod
from lmdistill.recipes.serialization import plain
from lmdistill.schedules.distillation import Schedule

WORDS: Mapping[Any, str] = types.MappingProxyType(
    {bool: "true, false", int: "whole number", float: "number", str: "text"}
    | {Method: "a method", AnyMethod: "a method", Augmenter: "an augmenter", Schedule: "a schedule"}
)


def fields(path: str) -> str:
    """A table of the fields of the dataclass with this dotted path."""
    module, _, name = path.rpartition(".")
    cls = getattr(importlib.import_module(module), name)
    said, hints = documentation(cls), get_type_hints(cls)
    lines = ["| field | values | default | meaning |", "|---|---|---|---|"]
    for field in dataclasses.fields(cls):
        cells = (f"`{field.name}`", values_of(hints[field.name]), default(field), said[field.name])
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    if len(lines) == 2:
        return "It has none.\n"
    return "\n".join(lines) + "\n"


def documentation(cls: type) -> dict[str, str]:
    """The text beneath each field in the source."""
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    assert isinstance(node, ast.ClassDef)
    return {
        part.target.id: " ".join(ast.literal_eval(after.value).split())
        for part, after in zip(node.body, node.body[1:], strict=False)
        if isinstance(part, ast.AnnAssign)
        and isinstance(part.target, ast.Name)
        and isinstance(after, ast.Expr)
    }


def values_of(hint: Any) -> str:
    """A type as a reader of YAML would say it."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in inner)
    if origin in (types.UnionType, Union):
        return " or ".join(values_of(option) for option in inner if option is not types.NoneType)
    if origin is tuple:
        is_choice = get_origin(inner[0]) is Literal
        one = "pair" if get_origin(inner[0]) is tuple else values_of(inner[0])
        return f"list of {one}{'' if is_choice else 's'}"
    if origin is Mapping:
        return f"names, each with {values_of(inner[1])}"
    return WORDS.get(hint, f"settings, see {getattr(hint, '__name__', hint)}")


def default(field: "dataclasses.Field[Any]") -> str:
    """The default of a field, as YAML; of nested settings, only what differs from their own defaults."""
    if field.default is field.default_factory is dataclasses.MISSING:
        return "must be given"
    value = field.default_factory() if callable(field.default_factory) else field.default
    text: str = yaml.safe_dump(brief(value), default_flow_style=True, allow_unicode=True, width=1000)
    return f"`{text.strip().removesuffix('...').strip()}`"


def brief(value: Any) -> Any:
    """Plain values, without what is a default."""
    if isinstance(value, Mapping):
        return {key: brief(item) for key, item in value.items()}
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return plain(value)
    usual, name = type(value)(), plain(value).get("name")
    differing = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    chosen = {key: brief(item) for key, item in differing.items() if item != getattr(usual, key)}
    return chosen if name is None else {"name": name, **chosen}
