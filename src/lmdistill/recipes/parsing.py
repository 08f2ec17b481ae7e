"""Plain values to objects and back, strictly: what a type does not know is refused, by its path."""

import dataclasses
import importlib.util
import inspect
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from lmdistill.core.errors import ConfigError, LmdistillError, UnknownNameError
from lmdistill.core.protocols import Method
from lmdistill.data.augment import AUGMENTERS, Augmenter
from lmdistill.methods import METHODS
from lmdistill.schedules.distillation import SCHEDULES, Schedule

NAMED: Mapping[Any, tuple[str, Mapping[str, type]]] = types.MappingProxyType(
    {Method: ("method", METHODS), Augmenter: ("augmenter", AUGMENTERS), Schedule: ("schedule", SCHEDULES)}
)
"""Interfaces whose implementations a recipe chooses by `name`: what they are called, and the table."""

OUTSIDE = "lmdistill-file:"
"""Begins the module name of a user's own file; its path, as it was written, is the rest."""


def construct(hint: Any, value: Any, where: str = "", default: Any = None) -> Any:
    """The object that `value` describes.

    Args:
        hint: Its type: a dataclass, an interface of `NAMED`, a mapping to one, or a plain type.
        value: Mappings, lists and scalars, as YAML gives them.
        where: Path of the value in the recipe, for messages.
        default: What stands where the recipe says nothing; a table that names some of its fields leaves it
            the others.

    Returns:
        An instance of `hint`.

    Raises:
        UnknownNameError: For a key, a name or a choice that does not exist; names the nearest one.
        ConfigError: For a value of another type, or outside its range.
    """
    origin = get_origin(hint)
    if hint in NAMED:
        return _chosen(hint, value, where)
    if dataclasses.is_dataclass(hint):
        return _dataclass(typing.cast(type, hint), value, where, default)
    if origin is types.UnionType or origin is Union:
        return _optional(hint, value, where, default)
    if origin is not None and inspect.isclass(origin) and issubclass(origin, Mapping):
        element = get_args(hint)[1]
        return {
            key: construct(element, item, _join(where, key)) for key, item in _mapping(value, where).items()
        }
    return _leaf(hint, value, where)


def plain(value: Any) -> Any:
    """`value` as YAML and JSON know it; what a recipe chooses by name says its name first."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        name = _name_of(type(value))
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


def _join(where: str, key: str) -> str:
    """The path one step further down."""
    return f"{where}.{key}" if where else key


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    """`value`, which must be a table."""
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where or 'a recipe'} must be a table of keys and values, got {value!r}.")
    return value


def _dataclass(cls: type, value: Any, where: str, default: Any = None) -> Any:
    """An instance of `cls`; every key must be a field."""
    if isinstance(value, cls):
        return value
    hints, base = get_type_hints(cls), default if isinstance(default, cls) else None
    known = {f.name: f for f in dataclasses.fields(cls)}
    given = {}
    for key, item in _mapping(value, where).items():
        if key == "name" and key not in known and item == _name_of(cls):
            continue  # a method inside a method says its name, as `plain` writes it
        if key not in known:
            raise UnknownNameError(f"setting of {where or 'a recipe'}", str(key), known)
        before = _default(known[key]) if base is None else getattr(base, key)
        given[key] = construct(hints[key], item, _join(where, key), before)
    missing = [name for name, f in known.items() if name not in given and not _has_default(f)]
    if missing and base is None:
        raise ConfigError(f"{_join(where, missing[0])} is missing; it has no default.")
    try:
        return cls(**given) if base is None else dataclasses.replace(typing.cast(Any, base), **given)
    except LmdistillError as error:
        raise ConfigError(_join(where, str(error))) from None


def _has_default(field: dataclasses.Field[Any]) -> bool:
    """Whether a field may be left out."""
    return not (field.default is field.default_factory is dataclasses.MISSING)


def _default(field: dataclasses.Field[Any]) -> Any:
    """What a field holds when it is left out; None where it must not be."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None if field.default is dataclasses.MISSING else field.default


def _chosen(interface: Any, value: Any, where: str) -> Any:
    """The implementation called `name`, built from the other keys."""
    kind, table = NAMED[interface]
    if not isinstance(value, Mapping) and isinstance(value, interface):
        return value
    settings = dict(_mapping(value, where))
    name = settings.pop("name", None)
    if name is None:
        raise ConfigError(f"{_join(where, 'name')} is missing. Known {kind}s: {', '.join(sorted(table))}.")
    if ":" in str(name):
        return _outside(interface, str(name), settings, where)
    if name not in table:
        raise UnknownNameError(kind, str(name), table)
    return _dataclass(table[name], settings, where)


def _outside(interface: Any, name: str, settings: Mapping[str, Any], where: str) -> Any:
    """The implementation in a file of the user's own, named as `path.py:Class`."""
    path, _, attribute = name.rpartition(":")
    spec = importlib.util.spec_from_file_location(f"{OUTSIDE}{path}", path)
    if spec is None or spec.loader is None or not Path(path).is_file():
        raise ConfigError(
            f"{_join(where, 'name')} is {name!r}, and there is no Python file {path}. Check the path."
        )
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # it is the user's own code, so anything can happen
        raise ConfigError(f"{path} cannot be run: {type(error).__name__}: {error}. Mend it.") from error
    cls = getattr(module, attribute, None)
    if not isinstance(cls, type) or not dataclasses.is_dataclass(cls):
        raise ConfigError(f"{path} has no dataclass {attribute!r}; {_join(where, 'name')} must name one.")
    built = _dataclass(cls, settings, where)
    if not isinstance(built, interface):
        wanted = ", ".join(sorted(key for key in vars(interface) if not key.startswith("_")))
        raise ConfigError(f"{name} is no {NAMED[interface][0]}; it must have {wanted}. Add what is missing.")
    return built


def _name_of(cls: type) -> str | None:
    """The name by which a recipe chooses `cls`; None for everything that is not chosen."""
    for _, table in NAMED.values():
        for name, entry in table.items():
            if entry is cls:
                return name
    is_method = callable(getattr(cls, "losses", None)) and callable(getattr(cls, "check", None))
    return f"{cls.__module__.removeprefix(OUTSIDE)}:{cls.__name__}" if is_method else None


def _optional(hint: Any, value: Any, where: str, default: Any) -> Any:
    """A value of a union: none, a nested table, or whatever pydantic makes of it."""
    options = [option for option in get_args(hint) if option is not types.NoneType]
    if value is None and len(options) < len(get_args(hint)):
        return None
    if len(options) == 1:
        return construct(options[0], value, where, default)
    return _leaf(hint, value, where)


def _leaf(hint: Any, value: Any, where: str) -> Any:
    """A scalar or a list, converted where nothing is lost (`1e-5` is a number)."""
    if get_origin(hint) is Literal and value not in get_args(hint):
        raise UnknownNameError(f"choice for {where}", str(value), map(str, get_args(hint)))
    if hint == tuple[str, ...] and isinstance(value, str):
        value = (value,)
    if isinstance(value, bool) and hint is not bool:  # pydantic reads true as the number 1
        raise ConfigError(f"{where} must be a valid number or text, got {value!r}.")
    try:
        return TypeAdapter(hint).validate_python(value)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Input should be ")
        raise ConfigError(f"{where} must be {reason}, got {value!r}.") from None
