"""What a recipe chooses by `name`: methods, augmenters and schedules."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from lmdistill.core.protocols import Method
from lmdistill.data.augment import AUGMENTERS, Augmenter
from lmdistill.methods import BASELINES, METHODS, AnyMethod
from lmdistill.schedules.distillation import SCHEDULES, Schedule

FILE_MODULE = "lmdistill-file:"
"""Prefix of the module name of a user's own Python file; the path as it was written follows."""


@dataclass(frozen=True, kw_only=True)
class NamedClasses:
    """The implementations of an interface."""

    kind: str
    """What error messages call one of them, as in `method`."""

    classes: Mapping[str, type]
    """Each class by the name that recipes use."""

    interface: Any
    """What a class in a user's own file implements."""


_METHODS = NamedClasses(kind="method", classes={**METHODS, **BASELINES}, interface=Method)

REGISTRY: Mapping[Any, NamedClasses] = MappingProxyType(
    {
        Method: _METHODS,
        AnyMethod: _METHODS,
        Augmenter: NamedClasses(kind="augmenter", classes=AUGMENTERS, interface=Augmenter),
        Schedule: NamedClasses(kind="schedule", classes=SCHEDULES, interface=Schedule),
    }
)
"""Each interface that a recipe chooses by name, with its implementations."""


def name_of(cls: type) -> str | None:
    """The name by which a recipe chooses `cls`: `path.py:Class` in a user's file, None if it has no name."""
    for registered in REGISTRY.values():
        for name, entry in registered.classes.items():
            if entry is cls:
                return name
    is_method = callable(getattr(cls, "losses", None)) and callable(getattr(cls, "check", None))
    return f"{cls.__module__.removeprefix(FILE_MODULE)}:{cls.__name__}" if is_method else None
