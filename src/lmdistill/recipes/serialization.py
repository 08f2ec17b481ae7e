"""Configuration objects as plain values, for YAML and JSON."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
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


LATER: Mapping[str, Any] = MappingProxyType(
    {"min_steps": 0, "max_steps": None, "class_weights": None, "sampling": "shuffled"}
)
"""Settings of training that were added later, with the value that changes nothing."""


def training_inputs(training: Any) -> dict[str, Any]:
    """Training settings for a fingerprint: settings that were added later count if they are set.

    So what an older version has trained and kept is still found.
    """
    unset = object()
    return {name: value for name, value in plain(training).items() if LATER.get(name, unset) != value}


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
