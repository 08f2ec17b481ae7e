"""Configuration objects as plain values, for YAML and JSON."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lmdistill.recipes.custom_classes import UnloadedClass
from lmdistill.recipes.registry import name_of


def plain(value: Any) -> Any:
    """`value` as YAML and JSON know it; a table of what is chosen by name begins with `name`."""
    if isinstance(value, UnloadedClass):
        return {"name": value.name, **plain(value.settings)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        name = name_of(type(value))
        fields = {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return fields if name is None else {"name": name, **fields}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def changed(value: Any, default: Any = None) -> dict[str, Any]:
    """The fields of a dataclass that differ from those of `default`, as `plain` has them.

    Args:
        value: The dataclass.
        default: One of the same type; the one that is made without arguments unless given.

    Examples:
        >>> from lmdistill.methods import KD, PKD
        >>> changed(KD()), changed(PKD(kd=KD(temperature=4.0)))
        ({}, {'kd': {'temperature': 4.0}})
    """
    usual = type(value)() if default is None else default
    pairs = {
        one.name: (getattr(value, one.name), getattr(usual, one.name)) for one in dataclasses.fields(value)
    }
    return {
        name: changed(own, other)
        if dataclasses.is_dataclass(own) and type(own) is type(other)
        else plain(own)
        for name, (own, other) in pairs.items()
        if own != other
    }
