"""Classes from a user's own Python file, which a recipe names as `path.py:Class`.

Loading one runs the file. So it is loaded only where a recipe is run, and only if that was asked for; a
command that reads a recipe keeps the name (`UnloadedClass`).
"""

import dataclasses
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, NoReturn

from lmdistill.core.errors import ConfigError
from lmdistill.recipes.code_policy import FLAG
from lmdistill.recipes.registry import FILE_MODULE, REGISTRY
from lmdistill.recipes.schema_errors import Refusal, joined


@dataclasses.dataclass(frozen=True, kw_only=True)
class UnloadedClass:
    """A class in a Python file that was not run. It stands for a method, an augmenter or a schedule."""

    name: str
    """The class as the recipe names it, `path.py:Class`."""

    settings: Mapping[str, Any]
    """Its settings as the recipe has them; nothing is checked and no default is filled in."""

    uses_teacher: ClassVar[bool] = True
    mixing: ClassVar[None] = None
    identity: ClassVar[str] = ""
    varied: ClassVar[bool] = True

    def _refuse(self, *given: object, **named: object) -> NoReturn:
        """Refuse to be used.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"{self.name} was not loaded, because only lmdistill distill and study run code.")

    check = losses = __call__ = _refuse

    def require(self, keep: float) -> None:
        """Any size of a student will do; only the class of a schedule knows better."""


def label_of(built: object) -> str:
    """Name of a class without its file, as a row of a table is called that has no other label."""
    return built.name.rpartition(":")[2] if isinstance(built, UnloadedClass) else type(built).__name__


def unloaded_classes(value: object) -> list[str]:
    """Names of the classes inside a recipe that were not loaded."""
    if isinstance(value, UnloadedClass):
        return [value.name]
    if isinstance(value, Mapping):
        return [name for item in value.values() for name in unloaded_classes(item)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [name for f in dataclasses.fields(value) for name in unloaded_classes(getattr(value, f.name))]
    return []


def refused_class(name: str) -> Refusal:
    """The error for a class that would run code, where that was not allowed."""
    return Refusal(
        lambda where: ConfigError(
            f"{joined(where, 'name')} is {name!r}, a class in a Python file, which would be run. Read the "
            f"file; if you trust it, add {FLAG} to lmdistill distill or study (from Python: allow_code=True)."
        )
    )


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
