"""What a message tells the user to set exists: keys of recipes, and options of commands."""

import ast
import dataclasses
import re
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
import typer

from lmdistill.cli.main import app
from lmdistill.recipes.classifier import Recipe
from lmdistill.recipes.language_model import LanguageRecipe
from lmdistill.recipes.registry import REGISTRY
from lmdistill.studies.schema import Study

REPO = Path(__file__).parents[2]
FILES = sorted((REPO / "src" / "lmdistill").rglob("*.py"))
FOREIGN = {"--local-dir"}
"""Options of other programs that messages name."""

PLACEHOLDERS = {"a.b", "methods.NAME"}
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*[a-z0-9]")
BARE = re.compile(
    r"(?<![\w.{-])(?:text|texts|label|labels|kind|dev|join|drop|encoding|delimiter)=(?=[ ,.;)]|$)"
)
"""A keyword of a Python function that stands for a setting, as in "name it with labels="."""


def parts(hint: Any) -> Iterator[Any]:
    """The types inside a type."""
    yield hint
    if get_origin(hint) in (types.UnionType, Union, tuple, Mapping):
        for inner in get_args(hint):
            yield from parts(inner)


def keys(hint: Any, depth: int = 0) -> Iterator[tuple[str, ...]]:
    """Paths of all settings below a type; what is chosen by name has those of every choice."""
    for part in parts(hint):
        if part in REGISTRY:
            for cls in REGISTRY[part].classes.values():
                yield from keys(cls, depth)
        elif isinstance(part, type) and dataclasses.is_dataclass(part) and depth < 5:
            hints = get_type_hints(part)
            for field in dataclasses.fields(part):
                yield (field.name,)
                yield from ((field.name, *rest) for rest in keys(hints[field.name], depth + 1))


def known_keys() -> set[str]:
    found = {".".join(path) for cls in (Recipe, LanguageRecipe, Study) for path in keys(cls)}
    singular = {re.sub("^methods", "method", path) for path in found}
    return found | singular | {"method.name", "schedule.name", "data.augmentation.augmenter.name"}


def options() -> set[str]:
    commands = typer.main.get_command(app).commands.values()
    names = {
        name for command in commands for one in command.params for name in (*one.opts, *one.secondary_opts)
    }
    return names | {"--help", "--version"}


def messages(code: str) -> Iterator[str]:
    """Texts of a file that are no docstrings; what a message fills in is left out."""
    tree = ast.parse(code)
    strings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in strings | inside
        ):
            yield node.value


def wrong_advice(code: str, known: set[str], flags: set[str]) -> list[str]:
    """What the messages of a file name that does not exist."""
    tables = {path.split(".")[0] for path in known if "." in path}
    key = re.compile(rf"(?<![\w./{{-])(?:{'|'.join(sorted(tables))})\.[a-z_]+(?:\.[a-z_]+)*(?![\w(/:{{])")
    wrong = []
    for text in messages(code):
        if " " not in text.strip():
            continue  # a name, no sentence
        wrong += [
            path for path in key.findall(text) if path not in known | PLACEHOLDERS and not is_file(path)
        ]
        wrong += [flag for flag in OPTION.findall(text) if flag not in flags | FOREIGN]
        wrong += BARE.findall(text)
    return wrong


def is_file(path: str) -> bool:
    """Whether a dotted word is the name of a file, such as texts.csv."""
    return path.rpartition(".")[2] in {
        "csv",
        "json",
        "jsonl",
        "yaml",
        "py",
        "txt",
        "md",
        "html",
        "sqlite",
        "zip",
    }


@pytest.fixture(scope="module")
def known() -> set[str]:
    return known_keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(REPO).as_posix())
def test_messages_name_only_what_exists(path: Path, known: set[str]) -> None:
    assert wrong_advice(path.read_text(), known, options()) == []


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ('raise E("Set data.labls to it.")', ["data.labls"]),
        ('raise E(f"{x}: set training.optimizer.rate.")', ["training.optimizer.rate"]),
        ('raise E("Choose another --outt.")', ["--outt"]),
        ('raise E("Name all labels with labels=.")', ["labels="]),
        ('raise E("Set data.labels, or method.temperature, or --out, or --set data.source=FILE.")', []),
        ('def f():\n    """Set data.labls."""', []),
    ],
)
def test_the_check_sees_wrong_advice(code: str, wrong: list[str], known: set[str]) -> None:
    assert wrong_advice(code, known, options()) == wrong
