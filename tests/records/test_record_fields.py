"""What stands in the files of a run keeps its place and its type: a list of all fields, compared with the code."""

import dataclasses
import importlib
import json
import pkgutil
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from pydantic import BaseModel

import lmdistill.records
from lmdistill.records.disagreements import Text
from lmdistill.records.predictions import Prediction
from lmdistill.records.record import SCHEMA, Record
from lmdistill.records.representation_map import MapPoint
from lmdistill.records.schema import Part

LIST = Path(__file__).with_name("record_fields.json")
LINES = (Prediction, Text, MapPoint)
"""Parts that are lines of JSON."""


def parts() -> dict[str, type]:
    """Classes whose objects are written into a run folder, by name."""
    for module in pkgutil.iter_modules(lmdistill.records.__path__, "lmdistill.records."):
        importlib.import_module(module.name)
    return {kind.__name__: kind for kind in (*_below(Part), *LINES)}


def _below(kind: type) -> Iterator[type]:
    for child in kind.__subclasses__():
        if child.__module__.startswith("lmdistill."):
            yield child
        yield from _below(child)


def said(hint: Any) -> str:
    """A type in words that do not depend on the version of Python."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return said(inner[0])
    if origin is Literal:
        return " | ".join(map(repr, inner))
    if origin in (types.UnionType, Union):
        return " | ".join(map(said, inner))
    if origin is not None:
        return f"{origin.__name__}[{', '.join(map(said, inner))}]"
    return {types.NoneType: "None", ...: "..."}.get(hint) or ("Any" if hint is Any else str(hint.__name__))


def fields_of(kind: type) -> dict[str, str]:
    """The type of each field by its name in the file; with "= default" where older files may lack it."""
    hints = get_type_hints(kind, include_extras=True)
    if issubclass(kind, BaseModel):
        needed = {
            field.alias or name: (name, field.is_required()) for name, field in kind.model_fields.items()
        }
    else:
        needed = {
            field.name: (
                field.name,
                field.default is field.default_factory is dataclasses.MISSING,
            )
            for field in dataclasses.fields(kind)
        }
    return {
        alias: said(hints[name]) + ("" if is_required else " = default")
        for alias, (name, is_required) in needed.items()
    }


def against_the_rule(name: str, listed: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """What stands in the way of reading files of other versions with the same schema number."""
    rule = f"within schema {SCHEMA} fields are only added"
    wrong = [f"{name}.{field} is gone; {rule}" for field in listed if field not in found]
    wrong += [
        f"{name}.{field} was '{listed[field]}' and is '{kind}'; {rule}"
        for field, kind in found.items()
        if field in listed and listed[field] != kind
    ]
    for field, kind in found.items():
        if field not in listed and not kind.endswith(" = default"):
            wrong.append(f"{name}.{field} is new and has no default, so older files cannot be read")
        elif field not in listed:
            wrong.append(f'{name}.{field} is new: add "{field}": "{kind}" to {LIST.name}')
    return wrong


LISTED: dict[str, dict[str, str]] = json.loads(LIST.read_text(encoding="utf-8"))


def test_every_part_is_in_the_list() -> None:
    assert sorted(parts()) == sorted(LISTED), f"parts stay; add new ones to {LIST.name}"


@pytest.mark.parametrize("name", sorted(LISTED))
def test_fields_are_only_added(name: str) -> None:
    assert against_the_rule(name, LISTED[name], fields_of(parts()[name])) == []


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"a": "int"}, "P.b is gone; within schema 1 fields are only added"),
        ({"a": "float", "b": "str = default"}, "P.a was 'int' and is 'float'; within schema 1"),
        ({"a": "int", "b": "str"}, "P.b was 'str = default' and is 'str'"),
        ({"a": "int", "b": "str = default", "c": "int"}, "P.c is new and has no default"),
        (
            {"a": "int", "b": "str = default", "c": "int = default"},
            'P.c is new: add "c": "int = default" to record_fields.json',
        ),
    ],
)
def test_the_check_sees_what_is_against_the_rule(found: dict[str, str], message: str) -> None:
    (wrong,) = against_the_rule("P", {"a": "int", "b": "str = default"}, found)
    assert message in wrong


def test_the_page_names_every_field_of_the_record_and_the_rule() -> None:
    page = (Path(__file__).parents[2] / "docs" / "run-folder.md").read_text(encoding="utf-8")
    told = page[page.index("## The record") : page.index("## What stays")]
    assert [field for field in fields_of(Record) if f"`{field}`" not in told] == []
    assert f"The schema number is {SCHEMA}." in page


def test_types_are_said_with_everything_inside_them() -> None:
    assert fields_of(Record)["schema"] == "int = default"
    assert fields_of(Record)["kind"] == "'finetune' | 'distill'"
    assert fields_of(Record)["metrics"] == "dict[str, dict[str, float | None]]"
    assert fields_of(Record)["calibration"] == "Calibration | None = default"
    assert fields_of(Prediction)["teacher"] == "tuple[float, ...] | None = default"
    assert fields_of(Prediction)["example"] == "int"
