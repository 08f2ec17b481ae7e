"""Recipes and studies as plain values: built-in ones, YAML files, `--set a.b=value`.

Nothing here needs a method or a model, so that names and texts can be listed without importing torch.
"""

import reprlib
from importlib.resources import files
from pathlib import Path
from typing import Any

from lmdistill.core.errors import ConfigError, UnknownNameError
from lmdistill.recipes.bounded_yaml import yaml_from, yaml_in

STUDIES = "lmdistill.studies"
"""The package that the built-in studies lie in."""


def builtin(package: str = "lmdistill.recipes") -> dict[str, str]:
    """The recipes that come with the package, or the studies of `lmdistill.studies`: name and text."""
    folder = files(package) / "builtin"
    found = {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in folder.iterdir()
        if entry.name.endswith(".yaml")
    }
    return {name.removesuffix(".yaml"): text for name, text in sorted(found.items())}


def table_of(name: str, folder: Path = Path()) -> dict[str, Any]:
    """Plain values of a built-in recipe, or of a file, whose path begins in `folder`.

    Raises:
        UnknownNameError: If there is neither.
        ConfigError: If there is no such file, or it is no YAML table, or a study.
    """
    path, known = folder / name, builtin()
    table = table_in(path) if path.is_file() else None
    is_study = name in builtin(STUDIES) if table is None else "study" in table
    if is_study:
        raise ConfigError(f"{name} is a study, and a recipe is needed here. lmdistill study runs it.")
    if table is not None:
        return table
    if name in known:
        return table_from(known[name], name)
    if path.suffix in {".yaml", ".yml"}:
        raise ConfigError(f"there is no recipe file {path}. Built-in recipes: {', '.join(known)}.")
    raise UnknownNameError("recipe", name, known)


def table_in(path: Path) -> dict[str, Any]:
    """Plain values of a file.

    Raises:
        ConfigError: If it is no YAML table.
    """
    return _table(yaml_in(path), str(path))


def table_from(text: str, where: str) -> dict[str, Any]:
    """Plain values of a text, which was read at `where`.

    Raises:
        ConfigError: If it is no YAML table.
    """
    return _table(yaml_from(text, where), where)


def _table(value: Any, where: str) -> dict[str, Any]:
    """A value that must be a table."""
    if not isinstance(value, dict):
        found = "and is empty" if value is None else f"got {reprlib.repr(value)}"
        raise ConfigError(f"{where} must be a table of keys and values, {found}.")
    key = next((key for key in value if not isinstance(key, str)), "")
    if key != "":
        raise ConfigError(f"{where} has the key {key!r}, and keys are words. Correct it.")
    return value


def override(table: dict[str, Any], setting: str) -> None:
    """Apply `a.b=value` to `table`, in place; the value is YAML.

    Raises:
        ConfigError: If it is not of this form, or goes through a value that has no keys.
    """
    put(table, *typed(setting), said=f"--set {setting}")


def typed(setting: str) -> tuple[str, Any]:
    """Path and value of `a.b=value`; the value is YAML.

    Raises:
        ConfigError: If it is not of this form.
    """
    path, equals, text = setting.partition("=")
    if not equals or not path:
        raise ConfigError(f"--set takes a.b=value, got {setting!r}.")
    return path, yaml_from(text, f"--set {setting}")


def put(table: dict[str, Any], path: str, value: Any, *, said: str) -> None:
    """Set the field at the dotted `path` of `table`, in place; tables on the way are made.

    Args:
        table: Plain values.
        path: As in `a.b`.
        value: Of the field.
        said: What the user wrote, for the message.

    Raises:
        ConfigError: If the path goes through a value that has no keys.
    """
    *parents, last = path.split(".")
    inner = table
    for parent in parents:
        if inner.get(parent) is None:
            inner[parent] = {}
        inner = inner[parent]
        if not isinstance(inner, dict):
            raise ConfigError(f"{said}: {parent} is {inner!r}, which has no keys.")
    inner[last] = value
