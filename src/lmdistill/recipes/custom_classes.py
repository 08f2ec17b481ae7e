"""Classes from a user's own Python file, which a recipe names as `path.py:Class`."""

import dataclasses
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from lmdistill.core.errors import ConfigError
from lmdistill.recipes.registry import FILE_MODULE, REGISTRY
from lmdistill.recipes.schema_errors import Refusal, joined


def class_from_file(name: str) -> type:
    """The dataclass that `path.py:Class` names; the file is run.

    Raises:
        Refusal: If there is no such file, it cannot be run, or it has no such dataclass.
    """
    path, _, attribute = name.rpartition(":")
    cls = getattr(_module(path, name), attribute, None)
    if not isinstance(cls, type) or not dataclasses.is_dataclass(cls):
        raise Refusal(
            lambda where: ConfigError(
                f"{path} has no dataclass {attribute!r}; {joined(where, 'name')} must name one."
            )
        )
    return cls


def require_interface(built: object, interface: Any, name: str) -> None:
    """Refuse an object of a class called `name` that lacks attributes of `interface`."""
    if not isinstance(built, interface):
        wanted = ", ".join(sorted(key for key in vars(interface) if not key.startswith("_")))
        kind = REGISTRY[interface].kind
        raise Refusal(
            lambda where: ConfigError(f"{name} is no {kind}; it must have {wanted}. Add what is missing.")
        )


def _module(path: str, name: str) -> ModuleType:
    """The file at `path`, run."""
    spec = importlib.util.spec_from_file_location(f"{FILE_MODULE}{path}", path)
    if spec is None or spec.loader is None or not Path(path).is_file():
        raise Refusal(
            lambda where: ConfigError(
                f"{joined(where, 'name')} is {name!r}, and there is no Python file {path}. Check the path."
            )
        )
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # it is the user's own code, so anything can happen
        failure = ConfigError(f"{path} cannot be run: {type(error).__name__}: {error}. Mend it.")
        failure.__cause__ = error  # its traceback shows the line
        raise Refusal(lambda where: failure) from error
    return module
